"""The Python client against the running server: exact, paged, patient, and honest about holes."""

import json
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest
from marketdata.compute.bars import Change
from marketdata.jobs.live_documents import candle_document
from marketdata_client import (
    AsyncMarketDataClient,
    Candle,
    ConnectionFailed,
    DataWarning,
    MarketDataClient,
    NotFound,
    RequestInvalid,
    Reset,
    Revise,
    Throttled,
    Unavailable,
)
from marketdata_client.patience import Patience

from tests.clients.conftest import HOLED, MIDNIGHT, MINUTE, SERVED, Served, made

pytestmark = pytest.mark.stack
DAY = timedelta(days=1)
EXACT = ("open_time", "close_time", "open", "high", "low", "close", "volume", "quote_volume", "vwap", "trades")
QUICK = Patience(tries=3, delay_seconds=0.01, delay_seconds_max=0.05)


@pytest.fixture
def client(served: Served) -> Iterator[MarketDataClient]:
    with MarketDataClient(served.url) as client:
        yield client


def test_candles_come_exact(client: MarketDataClient) -> None:
    found = client.get_candles("coinbase", "BTC-USD", "1m", MIDNIGHT, MIDNIGHT + DAY)
    assert len(found) == 1_440
    for place, candle in enumerate(found):
        stored = made(place)
        assert (candle.open_time, candle.close_time) == (stored.open_time, stored.close_time)
        assert (candle.open, candle.high, candle.low, candle.close) == (
            stored.open,
            stored.high,
            stored.low,
            stored.close,
        )
        assert (candle.volume, candle.quote_volume, candle.vwap) == (stored.volume, stored.quote_volume, stored.vwap)
        assert (candle.first_id, candle.last_id, candle.trades) == (stored.first_id, stored.last_id, stored.trades)
    assert (found.condition, found.coverage, found.gaps) == ("available", 1.0, ())


def test_pages_are_read_for_the_caller(served: Served) -> None:
    with MarketDataClient(served.url) as client:
        whole = client.get_candles("coinbase", "BTC-USD", start=MIDNIGHT, end=MIDNIGHT + DAY)
        assert list(client.get_candles("coinbase", "BTC-USD", start=MIDNIGHT, rows_max=7)) == list(whole[:7])


def test_a_hole_is_told_and_warned_of_once(client: MarketDataClient) -> None:
    asked = ("coinbase", "ETH-USD", "1m", MIDNIGHT, MIDNIGHT + timedelta(hours=2))
    with pytest.warns(DataWarning, match="missing.*1 gaps"):
        found = client.get_candles(*asked)
    assert found.condition == "missing"
    assert found.coverage == pytest.approx(115 / 120, abs=1e-6)
    (gap,) = found.gaps
    assert (gap.start, gap.end) == (MIDNIGHT + 30 * MINUTE, MIDNIGHT + 35 * MINUTE)
    assert (gap.buckets, gap.state) == (5, "open")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.get_candles(*asked)


def test_the_newest_candles_come_oldest_first(client: MarketDataClient) -> None:
    with warnings.catch_warnings(action="ignore"):
        found = client.get_latest("BTC-USD", limit=3)
    assert [candle.open_time for candle in found] == [MIDNIGHT + place * MINUTE for place in (1437, 1438, 1439)]


def test_lists_are_read_whole(client: MarketDataClient) -> None:
    assert {one["symbol"] for one in client.get_instruments()} == {"BTC-USD", "ETH-USD"}
    assert [gap["symbol"] for gap in client.get_gaps("ETH-USD")] == [HOLED.symbol]
    assert client.get_status()["instruments"]


def test_tables_have_the_same_rows(client: MarketDataClient) -> None:
    found = client.get_candles("coinbase", "BTC-USD", start=MIDNIGHT, end=MIDNIGHT + 10 * MINUTE)
    pandas, polars, arrow = found.to_pandas(), found.to_polars(), found.to_arrow()
    assert len(pandas) == polars.height == arrow.num_rows == 10
    assert list(pandas["close"]) == polars["close"].to_list() == arrow["close"].to_pylist()
    assert list(pandas["close"]) == [float(candle.close) for candle in found]
    assert pandas.index[0] == polars["open_time"][0] == arrow["open_time"][0].as_py() == MIDNIGHT


def test_tables_keep_every_digit_if_asked(client: MarketDataClient) -> None:
    found = client.get_candles("coinbase", "BTC-USD", start=MIDNIGHT, end=MIDNIGHT + 10 * MINUTE)
    closes = [candle.close for candle in found]
    assert [Decimal(str(float(close))) for close in closes] != closes
    assert list(found.to_pandas(exact=True)["close"]) == closes
    assert found.to_polars(exact=True)["close"].to_list() == closes
    assert found.to_arrow(exact=True)["close"].to_pylist() == closes


def test_candles_are_the_same_as_arrow_and_as_json(served: Served) -> None:
    asked = ("coinbase", "ETH-USD", "1m", MIDNIGHT, MIDNIGHT + timedelta(hours=2))
    with warnings.catch_warnings(action="ignore"):
        with MarketDataClient(served.url, arrow=True) as client:
            as_arrow = client.get_candles(*asked)
        with MarketDataClient(served.url, arrow=False) as client:
            as_json = client.get_candles(*asked)
    assert list(as_arrow) == list(as_json)
    assert (as_arrow.gaps, as_arrow.coverage) == (as_json.gaps, as_json.coverage)


def test_an_empty_answer_makes_empty_tables(client: MarketDataClient) -> None:
    with warnings.catch_warnings(action="ignore"):
        found = client.get_candles("coinbase", "BTC-USD", start="1999-01-01", end="1999-01-02")
    assert len(found) == len(found.to_pandas()) == found.to_polars().height == found.to_arrow().num_rows == 0


def test_a_refusal_names_the_field_and_the_choices(client: MarketDataClient) -> None:
    with pytest.raises(RequestInvalid) as refused:
        client.get_candles("coinbase", "BTC-USD", "7h")
    assert refused.value.fields == ("timeframe",)
    assert refused.value.problem.type == "/problems/invalid-parameter"
    assert refused.value.problem.request_id
    with pytest.raises(NotFound) as unknown:
        client.get_candles("coinbase", "NOBODY")
    assert "coinbase:BTC-USD" in unknown.value.choices


async def test_the_other_client_awaits_the_same(served: Served) -> None:
    async with AsyncMarketDataClient(served.url) as client:
        found = await client.get_candles("coinbase", "BTC-USD", "1m", MIDNIGHT, MIDNIGHT + DAY)
        assert [candle.close for candle in found] == [made(place).close for place in range(1_440)]
        with pytest.raises(NotFound):
            await client.get_latest("NOBODY")


def live_candle(place: int) -> bytes:
    return candle_document(Change(made(place), closed=True, revised=False), simulated=False)


def test_the_stream_tells_candles_and_revisions_and_goes_on_after_a_break(served: Served) -> None:
    served.publish("candle", live_candle(1))
    with MarketDataClient(served.url, patience=QUICK) as client:
        events = client.stream("BTC-USD", last_event_id="served-0")
        first = next(events)
        assert isinstance(first, Candle)
        assert (first.open_time, first.close, first.closed) == (made(1).open_time, made(1).close, True)
        served.publish("revise", live_candle(2))
        second = next(events)
        assert isinstance(second, Revise)
        served.end_streams()
        served.publish("candle", live_candle(3))
        third = next(events)
        assert isinstance(third, Candle)
        assert third.open_time == made(3).open_time


def test_a_place_that_is_gone_is_told_by_a_reset(served: Served) -> None:
    with MarketDataClient(served.url, patience=QUICK) as client:
        assert isinstance(next(client.stream(last_event_id="another-epoch-7")), Reset)


async def test_the_stream_can_be_awaited(served: Served) -> None:
    async with AsyncMarketDataClient(served.url) as client:
        served.publish("candle", live_candle(4))
        async for event in client.stream("BTC-USD", kinds=["candle"], last_event_id="served-0"):
            assert isinstance(event, Candle)
            break


def test_a_parameter_that_the_stream_does_not_have_is_refused(served: Served) -> None:
    with MarketDataClient(served.url) as client, pytest.raises(RequestInvalid) as refused:
        next(client.stream(kinds=["weather"]))
    assert refused.value.fields == ("kinds",)


@pytest.fixture
def moody() -> Iterator[ThreadingHTTPServer]:
    """A server that fails as often as its list of statuses says, then answers."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            statuses: list[int] = self.server.statuses  # type: ignore[attr-defined]
            status = statuses.pop(0) if statuses else 200
            body = json.dumps({"data": [{"symbol": "X"}]} if status == 200 else {"message": "no"}).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", self.server.retry_after)  # type: ignore[attr-defined]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.statuses, server.retry_after = [], "0"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_what_fails_for_a_while_is_asked_again_and_not_forever(moody: ThreadingHTTPServer) -> None:
    with MarketDataClient(f"http://127.0.0.1:{moody.server_port}", patience=QUICK) as client:
        moody.statuses = [503, 429]  # type: ignore[attr-defined]
        assert client.get_instruments() == [{"symbol": "X"}]
        moody.statuses = [503] * 9  # type: ignore[attr-defined]
        with pytest.raises(Unavailable):
            client.get_instruments()
        assert len(moody.statuses) == 6  # type: ignore[attr-defined]


def test_a_service_that_wants_to_be_left_alone_for_long_is(moody: ThreadingHTTPServer) -> None:
    moody.statuses, moody.retry_after = [429, 200], "3600"  # type: ignore[attr-defined]
    address = f"http://127.0.0.1:{moody.server_port}"
    with MarketDataClient(address, patience=QUICK) as client, pytest.raises(Throttled) as throttled:
        client.get_instruments()
    assert throttled.value.retry_after == 3600


def test_nobody_there_is_told_as_such(moody: ThreadingHTTPServer) -> None:
    moody.shutdown()
    moody.server_close()
    with MarketDataClient(f"http://127.0.0.1:{moody.server_port}", patience=QUICK) as client:
        with pytest.raises(ConnectionFailed):
            client.get_instruments()
        with pytest.raises(ConnectionFailed):
            list(islice(client.stream(), 1))


def test_the_address_and_the_key_come_from_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_URL", served.url)
    with MarketDataClient() as client:
        assert client.get_instruments()


@pytest.mark.slow
def test_a_hundred_thousand_candles_are_the_stored_ones(served: Served) -> None:
    count = 100_000
    many = replace(SERVED, symbol="LTC-USD", base="LTC")
    served.store.put_instruments([many])
    stored = [made(place, many) for place in range(count)]
    for start in range(0, count, 5_000):
        served.store.put_candles(stored[start : start + 5_000])
    with MarketDataClient(served.url) as client:
        found = client.get_candles("coinbase", "LTC-USD", start=MIDNIGHT, end=MIDNIGHT + count * MINUTE)
    assert len(found) == count
    for got, put in zip(found, stored, strict=True):
        assert all(getattr(got, name) == getattr(put, name) for name in EXACT), (got, put)
    assert (found.condition, found.coverage) == ("available", 1.0)
