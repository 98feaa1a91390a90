"""Gaps of the ledger are filled from the exchange, and nothing is called done that was not seen or confirmed."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import httpx
import pytest
from marketdata.clock import FakeClock, Pause
from marketdata.compute.calendar import closed
from marketdata.compute.coverage import union
from marketdata.errors import RemoteThrottled, StoreError
from marketdata.exchanges.exchange import Request
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.fill_settings import FillSettings
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import HISTORY, Gap, GapState
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from local.exchanges.faults import Faults
from local.exchanges.tape import OPENING
from tests.unit.jobs.past_exchange import (
    BTC,
    LAST,
    MINUTE,
    QUIET,
    PastExchange,
    Rows,
    ago,
    empty_minutes,
    past_exchange,
    tape_candles,
    tape_outlines,
)
from tests.unit.jobs.past_exchange import outline as outline_of
from tests.unit.jobs.test_follow_live import figures
from tests.unit.local.exchanges.market import NOW, simulator


async def run(
    exchange: PastExchange,
    *,
    seconds: float = 600,
    worker: str = "one",
    store: Store | None = None,
    pause: Pause = time.sleep,
    **settings: Any,
) -> FillResult:
    """One run of the mover that has so many seconds."""
    return await asyncio.to_thread(
        fill_gaps,
        store or exchange.store,
        {"coinbase-simulated": exchange.past},
        exchange.clock,
        worker=worker,
        deadline=exchange.clock.now() + timedelta(seconds=seconds),
        settings=FillSettings(**settings),
        random_source=random.Random(1),
        pause=pause,
    )


def record(exchange: PastExchange, instrument: Instrument, *spans: Span) -> None:
    exchange.store.record_gaps(instrument, M1, spans, cause="scan", found_at=exchange.clock.now())


def ledger(exchange: PastExchange, *states: GapState) -> list[Gap]:
    return exchange.store.gaps(states=states or None, limit=1_000)


def _starts_in(request: Request, span: Span) -> bool:
    return datetime.fromisoformat(dict(request.query)["start"]) in span


def the_gap(exchange: PastExchange) -> Gap:
    (gap,) = ledger(exchange)
    return gap


def stored(exchange: PastExchange, instrument: Instrument = BTC) -> list[Candle]:
    return exchange.store.candles(instrument, M1, start=None, end=None, limit=10_000)


def open_spans(exchange: PastExchange) -> tuple[Span, ...]:
    return union(gap.span for gap in ledger(exchange, GapState.OPEN))


# What can be filled is filled


async def test_a_hole_of_minutes_is_filled_with_proven_candles_equal_to_the_tape() -> None:
    hole = ago(0, minutes=4)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)
        result = await run(exchange)
        assert the_gap(exchange).state is GapState.FILLED
        assert [figures(candle) for candle in stored(exchange)] == tape_candles(BTC, hole)
        assert {candle.source for candle in stored(exchange)} == {Source.PROVEN}
        assert (result.filled, result.candles) == (1, 4)


@pytest.mark.slow
async def test_a_hole_of_days_is_filled_with_the_exchanges_own_candles() -> None:
    hole = ago(0, minutes=3 * 1440)
    async with past_exchange() as exchange:
        exchange.store.record_gaps(BTC, M1, [hole], cause=HISTORY, found_at=NOW)
        result = await run(exchange)
        assert {gap.state for gap in ledger(exchange)} == {GapState.FILLED}
        assert [outline_of(candle) for candle in stored(exchange)] == tape_outlines(BTC, hole)
        assert exchange.paths("trades") == []
        assert (result.filled, result.pieces, result.released) == (1, 2, 0)


@pytest.mark.slow
async def test_what_is_lost_while_history_is_fetched_waits_for_a_piece_of_it_at_most() -> None:
    history, lost = ago(10, minutes=3 * 1440), ago(0, minutes=2)
    async with past_exchange() as exchange:
        exchange.store.record_gaps(BTC, M1, [history], cause=HISTORY, found_at=NOW)

        def lose(request: Request, rows: Rows) -> Rows:
            record(exchange, BTC, lost)
            return rows

        exchange.lie = lose
        await run(exchange)
        asked = [request.path.rsplit("/", 1)[-1] for request in exchange.asked]
        assert asked.index("trades") == 5
        assert asked.count("candles") == 3 * 5
        assert {gap.state for gap in ledger(exchange)} == {GapState.FILLED}


async def test_a_piece_that_cannot_be_had_does_not_keep_older_ones_waiting() -> None:
    hole = ago(0, minutes=3 * 1440)
    # The first piece: a day, in whole requests.
    refused = Span(hole.end - 1_500 * MINUTE, hole.end)
    async with past_exchange() as exchange:
        exchange.store.record_gaps(BTC, M1, [hole], cause=HISTORY, found_at=NOW)
        exchange.lie = lambda request, rows: ["nonsense"] if _starts_in(request, refused) else rows
        await run(exchange)
        held = [candle.open_time for candle in stored(exchange)]
        assert (held[0], held[-1], len(held)) == (hole.start, refused.start - MINUTE, 3 * 1440 - 1_500)
        assert open_spans(exchange) == (refused,)


@pytest.mark.slow
async def test_a_market_older_than_its_first_trade_is_empty_as_far_as_it_was_ordered() -> None:
    begins = OPENING
    asked = Span(begins - timedelta(days=400), begins + timedelta(hours=30))
    async with past_exchange() as exchange:
        exchange.store.record_gaps(BTC, M1, [asked], cause=HISTORY, found_at=NOW)
        await run(exchange)
        exchange.store.roll_up(limit=10_000)
        assert exchange.store.coverage(BTC, M1, asked).empty == (Span(asked.start, begins),)
        assert ledger(exchange, GapState.OPEN) == []
        assert len(exchange.asked) < 40


async def test_a_run_that_watches_fills_what_is_recorded_meanwhile() -> None:
    lost, pauses = ago(0, minutes=2), []
    async with past_exchange() as exchange:

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            exchange.clock.advance(timedelta(seconds=seconds))
            if len(pauses) == 3:
                record(exchange, BTC, lost)

        result = await run(exchange, seconds=20, pause=pause, poll_seconds=2.0)
        assert (result.claimed, result.filled) == (1, 1)
        (gap,) = ledger(exchange)
        assert gap.repaired_at is not None
        assert gap.repaired_at - gap.found_at < timedelta(seconds=2)
        assert pauses == [2.0] * len(pauses)
        assert exchange.clock.now() < NOW + timedelta(seconds=20)


async def test_a_run_that_watches_ends_with_its_process() -> None:
    ending = Event()
    ending.set()
    async with past_exchange() as exchange:
        began = exchange.clock.now()
        result = await run(exchange, seconds=20, pause=ending.wait, poll_seconds=2.0)
        assert (result.claimed, exchange.clock.now()) == (0, began)


async def test_a_run_that_watches_asks_an_exchange_again_that_was_away() -> None:
    faults = Faults()
    faults.refuse_connections(rest_too=True)
    async with past_exchange(faults) as exchange:
        record(exchange, BTC, ago(0, minutes=2))

        def pause(seconds: float) -> None:
            exchange.clock.advance(timedelta(seconds=seconds))
            faults.heal()

        result = await run(exchange, seconds=40, pause=pause, poll_seconds=2.0)
        assert (result.away, result.filled) == (["coinbase-simulated"], 1)


async def test_single_leading_and_tail_holes_around_held_minutes_are_all_filled() -> None:
    whole = ago(0, minutes=9)
    async with past_exchange() as exchange:
        record(exchange, BTC, whole)
        await run(exchange)
        held = MemoryStore()
        held.put_instruments([BTC])
        held.put_candles([one for index, one in enumerate(stored(exchange)) if index in {1, 2, 4, 5, 6}])
        exchange.store = held
        record(exchange, BTC, *(Span(one, one + MINUTE) for one in (whole.start, whole.start + 3 * MINUTE)))
        record(exchange, BTC, Span(whole.end - 2 * MINUTE, whole.end))
        result = await run(exchange)
        assert result.filled == 3
        assert [figures(candle) for candle in stored(exchange)] == tape_candles(BTC, whole)


async def test_an_exchange_is_not_asked_for_the_time_in_which_its_market_was_closed() -> None:
    fx = replace(BTC, calendar=Calendar.FX)
    shut = closed(Calendar.FX, ago(0, minutes=7 * 1440))[-1]
    before, after = Span(shut.start - 3 * MINUTE, shut.start), Span(shut.end, shut.end + 2 * MINUTE)
    async with past_exchange() as exchange:
        exchange.store.put_instruments([fx])
        record(exchange, fx, Span(before.start, after.end))
        result = await run(exchange)
        assert {gap.span: gap.state for gap in ledger(exchange)} == {
            before: GapState.FILLED,
            shut: GapState.MARKET_CLOSED,
            after: GapState.FILLED,
        }
        assert (result.filled, result.candles) == (2, 5)
        record(exchange, fx, Span(shut.start + MINUTE, shut.end))
        exchange.asked.clear()
        result = await run(exchange)
        assert (result.market_closed, exchange.asked) == (1, [])
        assert [gap.span for gap in ledger(exchange, GapState.MARKET_CLOSED)] == [shut]


async def test_minutes_in_which_nobody_traded_are_said_to_be_so() -> None:
    quiet = max(union(empty_minutes(QUIET, ago(0, minutes=120))), key=lambda one: one.end - one.start)
    async with past_exchange() as exchange:
        record(exchange, QUIET, quiet)
        await run(exchange)
        exchange.store.roll_up()
        assert the_gap(exchange).state is GapState.NO_TRADES
        assert exchange.store.coverage(QUIET, M1, quiet).empty == (quiet,)
        assert stored(exchange, QUIET) == []


@pytest.mark.slow
async def test_a_quiet_product_is_filled_where_it_traded_and_empty_where_it_did_not() -> None:
    hole = ago(0, minutes=900)
    async with past_exchange() as exchange:
        record(exchange, QUIET, hole)
        await run(exchange)
        exchange.store.roll_up()
        known = exchange.store.coverage(QUIET, M1, hole)
        assert the_gap(exchange).state is GapState.FILLED
        assert known.empty == union(empty_minutes(QUIET, hole))
        assert union(known.covered, known.empty) == (hole,)


@contextlib.asynccontextmanager
async def silent_since(end: datetime) -> AsyncIterator[tuple[PastExchange, FakeClock]]:
    """An exchange on which nobody trades from `end` on, until its own clock goes on."""
    exchange_clock = FakeClock(end)
    async with simulator(exchange_clock) as server:
        exchange = PastExchange(server.url, FakeClock(NOW))
        try:
            yield exchange, exchange_clock
        finally:
            exchange.rest.close()


@pytest.mark.slow
async def test_where_nobody_has_traded_since_the_next_trade_is_waited_for_and_no_alarm_is_raised() -> None:
    hole = ago(0, minutes=60)
    async with silent_since(hole.start - MINUTE) as (exchange, exchange_clock):
        record(exchange, QUIET, hole)
        for _ in range(20):
            await run(exchange)
            exchange.clock.advance(timedelta(minutes=20))
            exchange_clock.advance(timedelta(seconds=1))  # it counts requests by its own clock
        assert (the_gap(exchange).state, the_gap(exchange).reason) == (GapState.OPEN, "nobody has traded since")
        assert stored(exchange, QUIET) == []
        exchange_clock.advance(timedelta(hours=12))
        await run(exchange)
        exchange.store.roll_up()
        assert exchange.store.coverage(QUIET, M1, hole).empty == union(empty_minutes(QUIET, hole))
        assert the_gap(exchange).state is GapState.FILLED


async def test_after_a_day_without_a_newer_trade_the_minutes_before_are_empty() -> None:
    hole = ago(0, minutes=60)
    async with silent_since(hole.start) as (exchange, _):
        record(exchange, QUIET, hole)
        exchange.clock.advance(timedelta(days=1, minutes=-70))
        await run(exchange)
        assert the_gap(exchange).state is GapState.OPEN
        exchange.clock.advance(timedelta(hours=2))
        await run(exchange)
        assert the_gap(exchange).state is GapState.NO_TRADES


async def test_the_newest_gap_is_filled_first() -> None:
    async with past_exchange() as exchange:
        record(exchange, BTC, ago(100, minutes=1), ago(0, minutes=1), ago(50, minutes=1))
        exchange.lie = lambda request, rows: _throttle(exchange)
        await run(exchange)
        assert [gap.span for gap in ledger(exchange) if gap.attempts] == [ago(0, minutes=1)]


# The exchange's moods


async def test_an_exchange_that_is_away_is_asked_again_when_it_is_back() -> None:
    faults, hole = Faults(), ago(0, minutes=3)
    async with past_exchange(faults) as exchange:
        record(exchange, BTC, hole)
        faults.refuse_connections(rest_too=True)
        for _ in range(20):
            result = await run(exchange)
            exchange.clock.advance(timedelta(minutes=1))
            assert result.away == ["coinbase-simulated"]
        assert (the_gap(exchange).state, the_gap(exchange).reason) == (GapState.OPEN, "HTTP 503")
        faults.heal()
        await run(exchange)
        assert the_gap(exchange).state is GapState.FILLED


def _throttle(exchange: PastExchange) -> Rows:
    raise RemoteThrottled("coinbase-simulated", "HTTP 429", exchange.clock.now() + timedelta(seconds=90))


async def test_an_exchange_that_asks_for_silence_is_left_alone_until_the_time_it_named() -> None:
    async with past_exchange() as exchange:
        record(exchange, BTC, ago(0, minutes=2), ago(30, minutes=2))
        exchange.lie = lambda request, rows: _throttle(exchange)
        result = await run(exchange)
        assert (result.throttled, len(exchange.asked)) == (["coinbase-simulated"], 1)
        newest = max(ledger(exchange), key=lambda gap: gap.span)
        assert newest.retry_at == exchange.clock.now() + timedelta(seconds=90)


async def test_after_a_real_429_nothing_is_asked_before_its_time_for_any_gap() -> None:
    async with past_exchange() as exchange:
        await spend_the_budget(exchange)
        record(exchange, BTC, ago(0, minutes=2), ago(30, minutes=2))
        result = await run(exchange)
        assert (result.throttled, stored(exchange)) == (["coinbase-simulated"], [])
        named = max(ledger(exchange), key=lambda gap: gap.span).retry_at
        assert named is not None
        assert named > exchange.clock.now()
        answered_at = []

        def note(request: Request, rows: Rows) -> Rows:
            answered_at.append(exchange.clock.now())
            return rows

        exchange.lie = note
        await run(exchange)
        await run(exchange)
        assert {gap.state for gap in ledger(exchange)} == {GapState.FILLED}
        assert min(answered_at) >= named


async def spend_the_budget(exchange: PastExchange) -> None:
    """Someone else at our address asks until the exchange has had enough."""
    async with httpx.AsyncClient(base_url=exchange.url) as client:
        while (await client.get("/time")).status_code != 429:
            pass


@pytest.mark.parametrize(
    "lie",
    [lambda rows: [], lambda rows: rows[:1], lambda rows: rows[-1:], lambda rows: rows[:-9]],
    ids=["empty", "only the newest", "only the oldest", "cut short"],
)
async def test_empty_and_truncated_answers_never_close_a_gap(lie: Any) -> None:
    hole = ago(0, minutes=12)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)
        exchange.lie = lambda request, rows: lie(rows) if request.path.endswith("candles") else []
        await run(exchange)
        exchange.store.roll_up()
        known = exchange.store.coverage(BTC, M1, hole)
        assert known.empty == ()
        assert union(known.covered, open_spans(exchange)) == (hole,)
        assert open_spans(exchange)
        exchange.lie = None
        exchange.clock.advance(timedelta(hours=2))
        await run(exchange)
        assert not ledger(exchange, GapState.OPEN)
        assert [outline_of(one) for one in stored(exchange)] == tape_outlines(BTC, hole)


async def test_what_nobody_can_give_is_unrecoverable_after_bounded_tries_with_the_evidence() -> None:
    hole = ago(0, minutes=3)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)
        exchange.lie = lambda request, rows: {"message": "gone for good"}
        for _ in range(8):
            assert the_gap(exchange).state is GapState.OPEN
            await run(exchange)
            exchange.clock.advance(timedelta(hours=2))
        gap = the_gap(exchange)
        assert gap.state is GapState.UNRECOVERABLE
        assert "gone for good" in gap.reason
        asked = len(exchange.asked)
        await run(exchange)
        assert len(exchange.asked) == asked


async def test_tries_are_further_apart_each_time() -> None:
    async with past_exchange() as exchange:
        record(exchange, BTC, ago(0, minutes=3))
        exchange.lie = lambda request, rows: []
        waits = []
        for _ in range(7):
            await run(exchange)
            retry_at = the_gap(exchange).retry_at
            assert retry_at is not None
            waits.append((retry_at - exchange.clock.now()).total_seconds())
            exchange.clock.advance(timedelta(hours=2))
        ceilings = [15 * 2**power for power in range(7)]
        assert all(0 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
        assert max(waits) > 120


# Running out of time, and dying


@pytest.mark.slow
async def test_a_run_stops_at_its_deadline_keeps_what_it_has_and_goes_on_from_there() -> None:
    hole = ago(0, minutes=4 * 1440)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)
        # The budget gives ten requests at once and five a second: a window takes a fifth of a second after that.
        began = exchange.clock.now()
        await run(exchange, seconds=1)
        assert exchange.clock.now() - began < timedelta(seconds=2)
        first = len(stored(exchange))
        assert 0 < first < 4 * 1440
        assert open_spans(exchange) == (Span(hole.start, hole.end - first * MINUTE),)
        for _ in range(20):
            await run(exchange, seconds=1)
        assert not ledger(exchange, GapState.OPEN)
        assert [outline_of(one) for one in stored(exchange)] == tape_outlines(BTC, hole)


async def test_nothing_is_leased_after_the_deadline() -> None:
    async with past_exchange() as exchange:
        record(exchange, BTC, ago(0, minutes=3))
        await run(exchange, seconds=0)
        assert (the_gap(exchange).attempts, exchange.asked) == (0, [])


class DyingStore(MemoryStore):
    """A store whose worker dies before it can say what became of a gap."""

    dying = True

    def resolve_gap(self, gap: Gap, *, state: GapState, now: datetime, reason: str = "") -> bool:
        if self.dying:
            raise StoreError("resolve_gap", "no answer")
        return super().resolve_gap(gap, state=state, now=now, reason=reason)


async def test_a_worker_that_dies_after_writing_is_followed_by_one_that_finds_it_written() -> None:
    hole = ago(0, minutes=4)
    async with past_exchange() as exchange:
        exchange.store = store = DyingStore()
        store.put_instruments([BTC])
        record(exchange, BTC, hole)
        with pytest.raises(StoreError):
            await run(exchange, worker="one")
        store.dying = False
        asked = len(exchange.asked)
        await run(exchange, worker="two")
        assert the_gap(exchange).worker == "one"
        exchange.clock.advance(timedelta(seconds=121))
        await run(exchange, worker="two")
        assert (the_gap(exchange).state, the_gap(exchange).worker) == (GapState.FILLED, "two")
        assert len(exchange.asked) == asked


class StumblingStore(MemoryStore):
    """A store that loses its first write of candles."""

    stumbled = False

    def put_candles(self, candles: Sequence[Candle]) -> None:
        if not self.stumbled:
            self.stumbled = True
            raise StoreError("put_candles", "no answer")
        super().put_candles(candles)


async def test_candles_that_were_not_written_are_fetched_again() -> None:
    hole = ago(0, minutes=4)
    async with past_exchange() as exchange:
        exchange.store = StumblingStore()
        exchange.store.put_instruments([BTC])
        record(exchange, BTC, hole)
        with pytest.raises(StoreError):
            await run(exchange)
        exchange.clock.advance(timedelta(seconds=121))
        await run(exchange)
        assert the_gap(exchange).state is GapState.FILLED
        assert [figures(candle) for candle in stored(exchange)] == tape_candles(BTC, hole)


async def test_a_worker_that_lost_its_lease_settles_nothing() -> None:
    hole = ago(0, minutes=2)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)

        def slow(request: Request, rows: Rows) -> Rows:
            if len(exchange.asked) == 1:
                exchange.clock.advance(timedelta(seconds=121))
                now = exchange.clock.now()
                exchange.store.claim_gaps("two", now=now, lease_seconds=120, limit=1)
            return rows

        exchange.lie = slow
        result = await run(exchange, worker="one")
        assert (result.lost, result.filled) == (1, 0)
        assert (the_gap(exchange).state, the_gap(exchange).worker) == (GapState.LEASED, "two")


async def test_minutes_that_are_not_final_yet_wait_until_they_are() -> None:
    hole = Span(LAST, NOW.replace(second=0) + 3 * MINUTE)
    async with past_exchange() as exchange:
        record(exchange, BTC, hole)
        await run(exchange)
        assert open_spans(exchange) == (Span(NOW.replace(second=0) - MINUTE, hole.end),)
        for _ in range(8):
            exchange.clock.advance(MINUTE)
            await run(exchange)
        assert not ledger(exchange, GapState.OPEN)
        assert [outline_of(one) for one in stored(exchange)] == tape_outlines(BTC, hole)


async def test_a_poison_candle_ends_unrecoverable_with_its_excerpt_after_bounded_tries_and_costs_no_other() -> None:
    hole = ago(0, minutes=300)
    bad = hole.start + 100 * MINUTE
    async with past_exchange() as exchange:
        exchange.past = replace(exchange.past, trades=None)
        opens = int(bad.timestamp())
        exchange.lie = lambda _, rows: [[row[0], "no price"] if row[0] == opens else row for row in rows]
        record(exchange, BTC, hole)
        for _ in range(6):
            await run(exchange, tries_max=3)
            exchange.clock.advance(timedelta(hours=2))
        (given_up,) = ledger(exchange, GapState.UNRECOVERABLE)
        assert given_up.span == Span(bad, bad + MINUTE)
        assert "no price" in given_up.reason
        assert len(stored(exchange)) == 299
        assert open_spans(exchange) == ()
        assert len(exchange.asked) < 12
