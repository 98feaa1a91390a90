"""OANDA's stream through the production stream: chunked HTTP lines from a server that speaks its protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.exchanges.oanda import OandaPricing
from marketdata.model.events import Disconnected, Event, Heartbeat, Malformed
from marketdata.model.quote import Quote
from marketdata.net.http_lines import connect_lines
from marketdata.net.stream import Patience, Stream

from local.exchanges.faults import Faults
from local.exchanges.oanda import oanda_simulator
from local.exchanges.oanda_wire import ACCOUNT, TOKEN
from local.exchanges.server import Server
from local.exchanges.tape import Tape
from tests.unit.local.exchanges.pairs import PAIRS

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
DEADLINE_SECONDS = 10.0
HASTY = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, acknowledge_seconds_max=0.5, watch_seconds=0.02)


class Rig:
    """A stream of OANDA, and what it handed out; the exchange's clock runs while we wait."""

    def __init__(self, url: str, clock: FakeClock, token: str) -> None:
        self.events: list[Event] = []
        self.clock = clock
        exchange = OandaPricing(url, account=ACCOUNT)
        exchange.silence_seconds_max = 0.6
        connect = connect_lines(exchange.stream_request, {"Authorization": f"Bearer {token}"})
        self.stream = Stream(exchange, clock=clock, connect=connect, patience=HASTY)

    def handle(self, events: Sequence[Event]) -> None:
        self.events += events

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                self.clock.advance(timedelta(seconds=1))
                await asyncio.sleep(0.02)

    def quotes(self, symbol: str) -> list[Quote]:
        return [event for event in self.events if isinstance(event, Quote) and event.symbol == symbol]

    def breaks(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, Disconnected)]


@contextlib.asynccontextmanager
async def rig(faults: Faults, *symbols: str, token: str = TOKEN) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with Server(oanda_simulator(Tape(3, PAIRS), clock, faults, poll_seconds=0.01)) as listening:
        made = Rig(listening.url, clock, token)
        made.stream.follow(symbols)
        running = asyncio.create_task(made.stream.run(made.handle))
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_prices_and_heartbeats_come_in_order() -> None:
    async with rig(Faults(), "EUR_USD") as made:
        await made.until(lambda: len(made.quotes("EUR_USD")) > 50)
        times = [quote.time_ns for quote in made.quotes("EUR_USD")]
        assert times == sorted(times)
        # At most the last price of each quarter second.
        assert len({time // 250_000_000 for time in times}) == len(times)
        assert made.stream.status.state == "live"
        await made.until(lambda: any(isinstance(event, Heartbeat) for event in made.events))


async def test_another_instrument_is_asked_for_with_those_before() -> None:
    async with rig(Faults(), "EUR_USD") as made:
        await made.until(lambda: bool(made.quotes("EUR_USD")))
        made.stream.follow(["EUR_USD", "GBP_USD"])
        await made.until(lambda: bool(made.quotes("GBP_USD")))
        before = len(made.quotes("EUR_USD"))
        await made.until(lambda: len(made.quotes("EUR_USD")) > before)
        assert made.stream.status.subscribed == {"EUR_USD", "GBP_USD"}
        assert made.breaks() == []


async def test_what_is_refused_costs_nothing_that_flows() -> None:
    async with rig(Faults(), "EUR_USD") as made:
        await made.until(lambda: bool(made.quotes("EUR_USD")))
        made.stream.follow(["EUR_USD", "NO_SUCH"])
        await made.until(lambda: "400" in made.stream.status.refused)
        before = len(made.quotes("EUR_USD"))
        await made.until(lambda: len(made.quotes("EUR_USD")) > before)
        assert made.stream.status.subscribed == {"EUR_USD"}
        assert made.breaks() == []


async def test_a_stream_that_ends_is_a_break_and_is_made_again() -> None:
    faults = Faults()
    async with rig(faults, "EUR_USD") as made:
        await made.until(lambda: bool(made.quotes("EUR_USD")))
        faults.cut_connections()
        await made.until(lambda: bool(made.breaks()))
        before = len(made.quotes("EUR_USD"))
        await made.until(lambda: len(made.quotes("EUR_USD")) > before)


async def test_a_silent_stream_is_given_up() -> None:
    faults = Faults()
    async with rig(faults, "EUR_USD") as made:
        await made.until(lambda: bool(made.quotes("EUR_USD")))
        faults.fall_silent()
        await made.until(lambda: any("silent" in reason for reason in made.breaks()))


async def test_a_broken_line_costs_itself() -> None:
    faults = Faults()
    async with rig(faults, "EUR_USD") as made:
        await made.until(lambda: bool(made.quotes("EUR_USD")))
        faults.inject_malformed()
        await made.until(lambda: any(isinstance(event, Malformed) for event in made.events))
        before = len(made.quotes("EUR_USD"))
        await made.until(lambda: len(made.quotes("EUR_USD")) > before)
        assert made.breaks() == []


async def test_a_token_that_is_not_known_is_told_and_never_shown() -> None:
    async with rig(Faults(), "EUR_USD", token="another-secret") as made:
        await made.until(lambda: bool(made.breaks()))
        assert "401" in made.stream.status.refused
        assert "another-secret" not in repr(made.events) + repr(made.stream.status)


async def test_an_exchange_that_is_down_is_tried_again() -> None:
    faults = Faults()
    faults.refuse_connections()
    async with rig(faults, "EUR_USD") as made:
        await made.until(lambda: bool(made.breaks()))
        faults.accept_connections()
        await made.until(lambda: bool(made.quotes("EUR_USD")))
