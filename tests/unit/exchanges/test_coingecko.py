"""CoinGecko's answers, as its documentation and public recordings word them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.coingecko import CoinGecko, key_headers, read_refusal
from marketdata.model.coin import Coin
from marketdata.model.span import Span

from tests.market import at

BTC, ETH = Coin("BTC", "bitcoin"), Coin("ETH", "ethereum")
MARKET = (
    b'{"id":"bitcoin","symbol":"btc","current_price":%s,"market_cap":1.2e12,"total_volume":5e10,'
    b'"price_change_percentage_24h":-1.25,"roi":null,"last_updated":"2026-08-09T10:00:12.345Z"}'
)


def test_a_request_names_the_coins_by_id_and_asks_for_every_digit() -> None:
    request = CoinGecko().market_request([BTC, ETH], "USD")
    assert request.path == "/coins/markets"
    assert {("vs_currency", "usd"), ("ids", "bitcoin,ethereum"), ("precision", "full")} <= set(request.query)


def test_a_request_never_names_more_coins_than_a_page_holds() -> None:
    with pytest.raises(AssertionError):
        CoinGecko().market_request([BTC] * 251, "USD")


def test_numbers_keep_their_digits_whatever_their_form() -> None:
    (one,) = CoinGecko().parse_markets(b"[" + MARKET % b"1.6446899669484214e-05" + b"]", [BTC], "USD").snapshots
    assert one.price == Decimal("0.000016446899669484214")
    amounts = (one.market_cap, one.volume_24h, one.change_percent_24h)
    assert amounts == (Decimal("1.2e12"), Decimal("5e10"), Decimal("-1.25"))
    assert one.observed_at == at("10:00:12.345")


@pytest.mark.parametrize("price", [b"0", b"-1", b"1e40", b'"NaN"', b'"Infinity"', b"[]"])
def test_a_coin_that_cannot_be_costs_itself_and_is_kept_as_evidence(price: bytes) -> None:
    good = (MARKET % b"3").replace(b"bitcoin", b"ethereum")
    page = CoinGecko().parse_markets(b"[" + MARKET % price + b"," + good + b"]", [BTC, ETH], "USD")
    assert [one.asset for one in page.snapshots] == ["ETH"]
    assert page.absent == ("BTC",)
    assert "bitcoin" in page.malformed[0]


def test_a_price_without_a_time_is_not_given_ours() -> None:
    page = CoinGecko().parse_markets(b'[{"id":"bitcoin","current_price":1}]', [BTC], "USD")
    assert (page.snapshots, len(page.malformed)) == ((), 1)


def test_what_nobody_asked_for_is_passed_over() -> None:
    assert CoinGecko().parse_markets(b"[" + MARKET % b"3" + b"]", [ETH], "USD").snapshots == ()


def test_index_prices_keep_their_own_times_and_the_newest_is_off_the_grid() -> None:
    body = (
        b'{"prices":[[1702080000000,1.6446899669484214e-05],[1702166400000,null],[1702476909000,2]],'
        b'"market_caps":[[1702080000000,962.8363048250048]],"total_volumes":[]}'
    )
    first, last = CoinGecko().parse_chart(body, BTC, "usd")
    assert (first.observed_at, first.price) == (datetime(2023, 12, 9, tzinfo=UTC), Decimal("0.000016446899669484214"))
    assert (first.market_cap, first.volume_24h, first.quote) == (Decimal("962.8363048250048"), None, "USD")
    assert last.observed_at == datetime(2023, 12, 13, 14, 15, 9, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"{}", b'{"prices":[[1]]}', b'{"prices":[[1,0]]}', b'{"prices":[["NaN",1]]}', b"[]"])
def test_a_chart_of_another_form_is_malformed(body: bytes) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        CoinGecko().parse_chart(body, BTC, "USD")
    assert refused.value.exchange == "coingecko"


def test_a_chart_is_asked_for_by_ninety_days_so_that_it_comes_by_the_hour() -> None:
    span = Span(at("00:00") - timedelta(days=100), at("00:00"))
    requests = [dict(request.query) for request in CoinGecko().chart_requests(BTC, "USD", span)]
    assert [int(one["to"]) - int(one["from"]) for one in requests] == [90 * 86_400, 10 * 86_400]
    assert requests[0]["to"] == requests[1]["from"]


def test_each_plan_has_a_header_of_its_own() -> None:
    assert key_headers("demo", "k") == {"x-cg-demo-api-key": "k"}
    assert key_headers("pro", "k") == {"x-cg-pro-api-key": "k"}
    assert key_headers("demo", "") == {}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}', "API Key Missing (COINGECKO_API_K"),
        (400, b'{"status":{"error_code":10010,"error_message":"change your root URL"}}', "root URL (COINGECKO_API_KEY"),
        (401, b'{"error":{"error_message":"no"}}', "no (COINGECKO_API_KEY"),
        (400, b'{"error":"invalid vs_currency"}', "invalid vs_currency"),
    ],
)
def test_a_refusal_says_what_the_operator_may_change(status: int, body: bytes, reason: str) -> None:
    refusal = read_refusal(status, body)
    assert refusal is not None
    assert reason in refusal.reason
    assert refusal.wait_seconds is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(429, b'{"status":{"error_code":429,"error_message":"slow"}}'), (404, b'{"error":"coin not found"}'), (500, b"<")],
)
def test_what_the_status_says_alone_is_left_to_it(status: int, body: bytes) -> None:
    assert read_refusal(status, body) is None
