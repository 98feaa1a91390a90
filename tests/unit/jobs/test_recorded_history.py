"""Recorded history of an exchange that gives candles and no proof: scanned, and repaired over real HTTP to an end.

Every recording of Bitfinex's candle history among the captures is taken, with the holes that others found in it.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.coverage import subtract, union
from marketdata.exchanges.bitfinex_rest import BitfinexRest
from marketdata.exchanges.exchange import Request
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.scan_gaps import scan_gaps
from marketdata.model.candle import Candle
from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH
from marketdata.net.rest import PacedBudget, Rest
from marketdata.store.memory import MemoryStore

from local.exchanges.recorded_candles import RecordedCandles
from local.exchanges.server import Server
from tests.captures import FOLDER, candle_pages, expected_spans, needs_captures

BTC = Instrument("bitfinex", "tBTCUSD", "BTC", "USD")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
GRACE = timedelta(minutes=2)
REST = BitfinexRest()
RECORDINGS = sorted(path.stem for path in FOLDER.glob("bitfinex/candles_1m_pages_*.zip"))
OUTAGE = "an outage, a loss or a silence"

Row = list[float]


@dataclass
class Recorded:
    """A server of recorded answers, whoever asks it, and when: just after the recording ends."""

    pages: list[bytes]
    server: RecordedCandles
    clock: FakeClock
    past: ExchangePast
    store: MemoryStore

    @property
    def candles(self) -> list[Candle]:
        """What the recording holds."""
        return sorted(
            (one for page in self.pages for one in REST.parse_candles(page, BTC.symbol, M1, EPOCH)),
            key=lambda one: one.open_time,
        )

    @property
    def span(self) -> Span:
        """From its first to its last minute."""
        return Span(self.candles[0].open_time, self.candles[-1].close_time)

    def scan(self) -> None:
        """Put on the ledger what the store lacks of the recording."""
        now = self.clock.now()
        history = now - self.span.start
        scan_gaps(self.store, self.clock, now + MINUTE, history=history, grace=GRACE)

    async def repair(self, runs_max: int = 300) -> None:
        """Run the mover every minute until nothing is left to do. Fails if that never happens."""
        for _ in range(runs_max):
            if not self.store.gaps(states=UNRESOLVED, limit=1):
                return
            await asyncio.to_thread(self.run_once)
            self.clock.advance(MINUTE)
        pytest.fail(f"after {runs_max} runs still open: {self.store.gaps(states=UNRESOLVED, limit=3)}")

    def run_once(self) -> None:
        """One scheduled run."""
        deadline = self.clock.now() + 10 * MINUTE
        fill_gaps(
            self.store,
            {"bitfinex": self.past},
            self.clock,
            worker="one",
            deadline=deadline,
            settings=FillSettings(lease_seconds=1_200),
            random_source=random.Random(1),
        )

    def ledger(self, *states: GapState) -> list[Span]:
        """The spans of the ledger in those states, in order of time."""
        return sorted(gap.span for gap in self.store.gaps(states=states or None, limit=10_000))


@contextlib.asynccontextmanager
async def recorded(pages: list[bytes], *, held: bool = False) -> AsyncIterator[Recorded]:
    """The server listening, and a store that follows tBTCUSD and has all that is recorded, if it is `held`."""
    server, store = RecordedCandles("trade:1m:tBTCUSD", pages), MemoryStore()
    store.put_instruments([BTC])
    async with Server(server.application()) as listening:
        last = max(row[0] for page in pages for row in json.loads(page))
        clock = FakeClock(datetime.fromtimestamp(last / 1000, UTC) + MINUTE + GRACE)

        def sleep(seconds: float) -> None:
            clock.advance(timedelta(seconds=seconds))

        def seconds() -> float:
            return (clock.now() - EPOCH).total_seconds()

        budget = PacedBudget(0.25, 5, seconds)
        rest = Rest("bitfinex", listening.url, budget, clock, sleep=sleep)
        made = Recorded(pages, server, clock, ExchangePast(rest.get, REST, trades_by_time=REST), store)
        if held:
            store.put_candles(made.candles)
        try:
            yield made
        finally:
            rest.close()


def invented(*holes: tuple[int, int]) -> tuple[list[bytes], list[Span]]:
    """Two-hour answers of a market that trades every minute but for these (start, length), and the holes."""
    start = datetime(2016, 8, 1, tzinfo=UTC)
    spans = [Span(start + at * MINUTE, start + (at + length) * MINUTE) for at, length in holes]
    quiet = {at + step for at, length in holes for step in range(length)}
    total = max(at + length for at, length in holes) // 120 * 120 + 240
    first_ms = int(start.timestamp() * 1000)
    rows: list[Row] = [[first_ms + at * 60_000, 6, 7, 8, 5, 1.5] for at in range(total) if at not in quiet]
    pages: list[list[Row]] = [[] for _ in range(total // 120)]
    for row in rows:
        pages[int(row[0] - first_ms) // 7_200_000].append(row)
    return [json.dumps(page).encode() for page in pages], spans


# Real recordings


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_scan_of_a_recording_finds_the_holes_that_others_found(name: str) -> None:
    async with recorded(candle_pages(f"bitfinex/{name}.zip"), held=True) as exchange:
        exchange.scan()
        assert exchange.ledger() == expected(name)


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_repair_of_a_recording_ends_with_every_hole_explained(name: str) -> None:
    async with recorded(candle_pages(f"bitfinex/{name}.zip"), held=True) as exchange:
        exchange.scan()
        await exchange.repair()
        quiet, lost = split(expected(name))
        assert (exchange.ledger(GapState.NO_TRADES), exchange.ledger(GapState.UNRECOVERABLE)) == (quiet, lost)
        assert exchange.ledger() == expected(name)
        assert all(OUTAGE in gap.reason for gap in exchange.store.gaps(states=[GapState.UNRECOVERABLE], limit=10))


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_recording_is_fetched_whole_from_nothing_but_the_server(name: str) -> None:
    async with recorded(candle_pages(f"bitfinex/{name}.zip")) as exchange:
        exchange.store.record_gaps(BTC, M1, [exchange.span], cause="operator", found_at=exchange.clock.now())
        await exchange.repair()
        quiet, lost = split(expected(name))
        assert [outline(one) for one in stored(exchange)] == [outline(one) for one in exchange.candles]
        exchange.store.roll_up(limit=1_000_000)
        assert exchange.store.coverage(BTC, M1, exchange.span).empty == union(quiet)
        assert exchange.ledger(GapState.UNRECOVERABLE) == lost


def expected(name: str) -> list[Span]:
    return expected_spans(f"{name.replace('candles_1m_pages', 'bitfinex_gaps')}.csv")


def split(holes: list[Span]) -> tuple[list[Span], list[Span]]:
    """The silences of a quiet market, and what is no silence."""
    return (
        [one for one in holes if one.end - one.start <= DAY],
        [one for one in holes if one.end - one.start > DAY],
    )


def outline(candle: Candle) -> tuple[object, ...]:
    return candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume


def stored(exchange: Recorded) -> list[Candle]:
    rows = exchange.store.candles(BTC, M1, start=None, end=None, limit=10_000)
    if len(rows) == 10_000:
        rows += exchange.store.candles(BTC, M1, start=rows[-1].close_time, end=None, limit=10_000)
    return rows


# The same without recordings


@pytest.mark.slow
async def test_quiet_minutes_are_believed_and_an_outage_of_a_week_is_not() -> None:
    pages, holes = invented((14, 1), (119, 3), (300, 10), (700, 11_390), (12_300, 1))
    async with recorded(pages, held=True) as exchange:
        exchange.scan()
        assert exchange.ledger() == holes
        await exchange.repair()
        assert exchange.ledger(GapState.UNRECOVERABLE) == [holes[3]]
        assert exchange.ledger(GapState.NO_TRADES) == [*holes[:3], holes[4]]


@pytest.mark.slow
async def test_an_outage_that_fits_one_answer_is_not_taken_for_silence_either() -> None:
    pages, holes = invented((200, 2_000), (2_500, 5))
    async with recorded(pages, held=True) as exchange:
        exchange.scan()
        await exchange.repair()
        assert exchange.ledger(GapState.UNRECOVERABLE) == [holes[0]]


async def test_a_night_of_maintenance_is_taken_for_what_it_is() -> None:
    pages, holes = invented((200, 300))
    async with recorded(pages, held=True) as exchange:
        exchange.scan()
        await exchange.repair()
        assert exchange.ledger(GapState.NO_TRADES) == holes


async def test_a_silence_of_days_is_normal_where_somebody_trades_every_few_hours() -> None:
    traded = {0, 300, 700, 1_000, 4_000, 4_300, 4_600, 4_700, 5_000}
    pages, _ = invented((5_001, 1))
    rows = [row for page in pages for row in json.loads(page)]
    first = rows[0][0]
    pages = [json.dumps([row for row in rows if (row[0] - first) // 60_000 in traded]).encode()]
    async with recorded(pages, held=True) as exchange:
        exchange.scan()
        await exchange.repair()
        assert exchange.ledger(GapState.NO_TRADES) == list(
            subtract([exchange.span], [Span(one.open_time, one.close_time) for one in exchange.candles])
        )


async def test_minutes_that_only_every_other_answer_shows_to_be_quiet_are_not_believed() -> None:
    pages, holes = invented((200, 3))
    async with recorded(pages, held=True) as exchange:
        exchange.scan()
        truth, told = exchange.past.get, []

        def lie(request: Request) -> bytes:
            told.append(request)
            return b"[]" if len(told) % 2 else truth(request)

        exchange.past = ExchangePast(lie, REST)
        await exchange.repair()
        assert exchange.ledger(GapState.UNRECOVERABLE) == holes


async def test_a_candle_that_only_one_of_two_answers_had_is_taken() -> None:
    pages, _ = invented((200, 3))
    async with recorded(pages) as exchange:
        lost = exchange.candles[30]
        exchange.store.put_candles([one for one in exchange.candles if one != lost])
        exchange.scan()
        truth, told = exchange.past.get, []

        def lie(request: Request) -> bytes:
            told.append(request)
            body = json.loads(truth(request))
            late = int(lost.open_time.timestamp() * 1000)
            return json.dumps([row for row in body if len(told) > 3 or row[0] != late]).encode()

        exchange.past = ExchangePast(lie, REST)
        await exchange.repair()
        assert outline(lost) in [outline(one) for one in stored(exchange)]


@pytest.mark.slow
async def test_whoever_has_not_traded_lately_is_waited_for_and_no_alarm_is_raised() -> None:
    pages, _ = invented((200, 3))
    async with recorded(pages, held=True) as exchange:
        exchange.clock.advance(timedelta(hours=3))
        exchange.scan()
        for _ in range(200):
            await asyncio.to_thread(exchange.run_once)
            exchange.clock.advance(MINUTE)
        (waiting,) = exchange.store.gaps(states=UNRESOLVED, limit=10)
        assert (waiting.span.start, waiting.reason) == (exchange.span.end, "nobody has traded since")
        assert waiting.attempts < 20
        exchange.clock.advance(2 * DAY)
        await exchange.repair()
        assert exchange.ledger(GapState.UNRECOVERABLE) == [waiting.span]
