"""Every source of snapshots of the registry, by production code, against a server of its protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from marketdata.clock import FakeClock
from marketdata.errors import RemoteAbsent, RemoteError, RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.coingecko import DEMO, PRO, CoinGecko, key_headers
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.registry import ADAPTERS
from marketdata.exchanges.snapshot_source import SnapshotPage
from marketdata.model.coin import Coin
from marketdata.model.snapshot import INDEX_SOURCES, Snapshot
from marketdata.model.span import Span
from marketdata.net.rest import PacedBudget, Rest

from local.exchanges.coingecko import KEYS, Troubles, coingecko_simulator
from local.exchanges.faults import Faults
from local.exchanges.server import Server
from local.exchanges.tape import Tape
from tests.contract.adapter_wires import NOW

BTC, ETH, NONE = Coin("BTC", "bitcoin"), Coin("ETH", "ethereum"), Coin("NONE", "no-such-coin")
LAST = NOW.replace(second=0)


class Gecko:
    """CoinGecko's host of one plan, and production code that speaks to it."""

    def __init__(self, server: Server, tape: Tape, clock: FakeClock, faults: Faults, troubles: Troubles) -> None:
        self.server, self.tape, self.clock, self.faults, self.troubles = server, tape, clock, faults, troubles
        self.source = CoinGecko()
        self.headers: dict[str, str] = {}

    def get(self, request: Request) -> bytes:
        """Ask as one who has these headers."""
        adapter = ADAPTERS["coingecko"]
        budget = PacedBudget(1e6, 10**6, float)
        rest = Rest(
            "coingecko", self.server.url, budget, self.clock, sleep=lambda _: None, read_refusal=adapter.read_refusal
        )
        try:
            return rest.get(replace(request, headers=tuple(self.headers.items())))
        finally:
            rest.close()

    async def markets(self, *coins: Coin) -> SnapshotPage:
        """What these are worth now."""
        body = await asyncio.to_thread(self.get, self.source.market_request(coins, "USD"))
        return self.source.parse_markets(body, coins, "USD")

    async def chart(self, coin: Coin, span: Span) -> list[Snapshot]:
        """Index prices of a span."""
        bodies = [await asyncio.to_thread(self.get, one) for one in self.source.chart_requests(coin, "USD", span)]
        return [point for body in bodies for point in self.source.parse_chart(body, coin, "USD")]


@contextlib.asynccontextmanager
async def gecko(plan: str = DEMO) -> AsyncIterator[Gecko]:
    """The host of a plan, listening."""
    tape, clock, faults, troubles = Tape(7), FakeClock(NOW), Faults(7), Troubles()
    application: web.Application = coingecko_simulator(tape, clock, faults, plan=plan, troubles=troubles)
    async with Server(application) as server:
        made = Gecko(server, tape, clock, faults, troubles)
        made.headers = key_headers(plan, KEYS[plan])
        yield made


@pytest.mark.parametrize("name", sorted(INDEX_SOURCES))
def test_no_source_of_snapshots_can_be_asked_for_candles_trades_or_a_stream(name: str) -> None:
    index, bitfinex, binance = ADAPTERS[name], ADAPTERS["bitfinex"], ADAPTERS["binance"]
    exchange_parts: list[dict[str, Any]] = [
        {"candle_history": bitfinex.candle_history},
        {"trades_by_time": bitfinex.trades_by_time},
        {"recording": bitfinex.recording},
        {"feeds": bitfinex.feeds},
        {"trade_history": binance.trade_history},
        {"trade_history_at": binance.trade_history_at},
        {"mending": binance.mending},
        {"archive": binance.archive},
    ]
    for part in exchange_parts:
        assert not any(getattr(index, field) for field in part)
        with pytest.raises(TypeError, match="no candles"):
            replace(index, **part)


def test_all_of_them_are_known_to_the_store_which_gives_them_no_instruments() -> None:
    assert {name for name, adapter in ADAPTERS.items() if adapter.snapshots} == INDEX_SOURCES


@pytest.mark.parametrize("plan", [DEMO, PRO])
async def test_snapshots_are_what_the_source_says_to_the_last_digit_under_its_own_time(plan: str) -> None:
    async with gecko(plan) as host:
        page = await host.markets(BTC, ETH)
        newest = host.tape.newest_id("BTC-USD", LAST)
        (trade,) = host.tape.trades_by_id("BTC-USD", newest, newest + 1)
        assert [(one.source, one.asset, one.quote) for one in page.snapshots] == [
            ("coingecko", "BTC", "USD"),
            ("coingecko", "ETH", "USD"),
        ]
        btc = page.snapshots[0]
        assert (btc.price, btc.observed_at, btc.minute) == (trade.price, LAST, LAST)
        assert btc.market_cap == Decimal(repr(float(trade.price) * 1_000_000))
        assert btc.volume_24h is not None
        assert btc.change_percent_24h is not None
        assert (page.absent, page.malformed) == ((), ())


async def test_index_prices_come_by_the_hour_oldest_first_with_the_newest_off_the_grid() -> None:
    async with gecko() as host:
        points = await host.chart(BTC, Span(NOW - timedelta(days=10), NOW))
        times = [point.observed_at for point in points]
        assert times == sorted(times)
        assert len(times) == 241
        assert {time.minute for time in times[:-1]} == {0}
        assert times[-1] == NOW
        assert all(point.volume_24h and point.market_cap and point.change_percent_24h is None for point in points)


async def test_a_long_span_is_asked_for_in_pieces_that_are_still_answered_by_the_hour() -> None:
    async with gecko() as host:
        span = Span(NOW - timedelta(days=200), NOW)
        assert len(host.source.chart_requests(BTC, "USD", span)) == 3
        assert len(await host.chart(BTC, span)) > 200 * 24


async def test_coins_without_a_price_and_coins_nobody_knows_are_named_and_cost_the_others_nothing() -> None:
    async with gecko() as host:
        host.troubles.priceless.add("ethereum")
        page = await host.markets(BTC, ETH, NONE)
        assert [one.asset for one in page.snapshots] == ["BTC"]
        assert page.absent == ("ETH", "NONE")
        host.troubles.missing.add("bitcoin")
        assert (await host.markets(BTC)).absent == ("BTC",)
        with pytest.raises(RemoteAbsent):
            await host.chart(BTC, Span(NOW - timedelta(hours=3), NOW))


async def test_fields_that_nobody_heard_of_change_nothing() -> None:
    async with gecko() as host:
        plain = await host.markets(BTC), await host.chart(BTC, Span(NOW - timedelta(hours=3), NOW))
        host.faults.add_unknowns()
        assert (await host.markets(BTC), await host.chart(BTC, Span(NOW - timedelta(hours=3), NOW))) == plain


@pytest.mark.parametrize(
    ("plan", "headers", "said"),
    [
        (DEMO, key_headers(DEMO, "another-key"), "Incorrect API Key"),
        (DEMO, key_headers(PRO, KEYS[PRO]), "root URL"),
        (PRO, key_headers(DEMO, KEYS[DEMO]), "root URL"),
        (PRO, key_headers(PRO, "another-key"), "Incorrect API Key"),
        (PRO, {}, "API Key Missing"),
    ],
)
async def test_a_wrong_key_or_one_of_the_other_plan_is_the_operators_to_change(
    plan: str, headers: dict[str, str], said: str
) -> None:
    async with gecko(plan) as host:
        host.headers = headers
        with pytest.raises(RemoteMalformed, match=said) as refused:
            await host.markets(BTC)
        assert "COINGECKO_API_KEY" in refused.value.reason
        assert not any(key in str(refused.value) for key in (*KEYS.values(), "another-key"))


async def test_the_public_host_answers_without_a_key_too() -> None:
    async with gecko() as host:
        host.headers = key_headers(DEMO, "")
        assert len((await host.markets(BTC)).snapshots) == 1


async def test_whoever_asks_too_often_is_told_until_when_to_wait() -> None:
    async with gecko() as host:
        host.troubles.throttled = 1
        with pytest.raises(RemoteThrottled) as told:
            await host.markets(BTC)
        assert told.value.retry_at == NOW + timedelta(seconds=60)
        assert (await host.markets(BTC)).snapshots
        with pytest.raises(RemoteThrottled):
            await asyncio.to_thread(lambda: [host.get(host.source.market_request([BTC], "USD")) for _ in range(40)])


async def test_a_source_that_is_shut_is_away_and_one_that_breaks_off_is_malformed() -> None:
    async with gecko() as host:
        host.troubles.garbled = 2
        with pytest.raises(RemoteMalformed):
            await host.markets(BTC)
        with pytest.raises(RemoteMalformed):
            await host.chart(BTC, Span(NOW - timedelta(hours=3), NOW))
        host.faults.refuse_connections(rest_too=True)
        with pytest.raises(RemoteUnavailable):
            await host.markets(BTC)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[1]", b'"x"', b"\xff", b"[" * 5_000, b'[{"id":', b'{"error":"coin not found"}']
)
def test_an_answer_of_another_form_is_malformed_or_says_nothing(body: bytes) -> None:
    reads: tuple[Callable[[], object], ...] = (
        lambda: CoinGecko().parse_chart(body, BTC, "USD"),
        lambda: CoinGecko().parse_markets(body, [BTC], "USD").snapshots,
    )
    for read in reads:
        with contextlib.suppress(RemoteError):
            assert not read()
