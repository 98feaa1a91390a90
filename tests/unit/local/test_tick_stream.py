"""The feeder's ticks: the same order, the same market."""

from datetime import datetime
from typing import Any

import pytest
from marketdata.model.span import Span

from local.tick_stream import EXCHANGE, TickStream
from tests.market import at

SPAN = Span(at("10:00"), at("10:02"))
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def ticks(seed: int = 1, rate: float = 5, span: Span = SPAN, items_max: int = 1_000) -> list[dict[str, Any]]:
    stream = TickStream(seed, rate, SYMBOLS)
    return [item for items, _ in stream.batches(span, items_max) for item in items]


def test_the_same_seed_is_the_same_stream_however_it_is_cut() -> None:
    whole = ticks()
    assert whole == ticks(items_max=7)
    halves = [ticks(span=Span(at("10:00"), at("10:01"))), ticks(span=Span(at("10:01"), at("10:02")))]
    assert whole == halves[0] + halves[1]
    assert len(whole) > 200


@pytest.mark.parametrize(("seed", "rate"), [(2, 5), (1, 6)])
def test_another_seed_or_rate_is_another_stream_with_ids_of_its_own(seed: int, rate: float) -> None:
    ours, others = ticks(), ticks(seed, rate)
    assert not {one["id"] for one in ours} & {one["id"] for one in others}


def test_ticks_come_in_order_of_time_inside_their_span_with_ids_that_any_reader_keeps() -> None:
    times = [one["time"] for one in ticks()]
    assert times == sorted(times)
    assert all("2026-08-09T10:00" <= time < "2026-08-09T10:02" for time in times)
    keys = [(one["symbol"], one["id"]) for one in ticks()]
    assert len(keys) == len(set(keys))
    assert all(0 < id_ < 2**53 for _, id_ in keys)


def test_invented_ticks_and_symbols_are_labelled_so() -> None:
    assert {one["exchange"] for one in ticks()} == {EXCHANGE}
    assert EXCHANGE.endswith("-simulated")
    told = TickStream(1, 5, SYMBOLS).symbols()
    assert told[0] == {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "exchange": EXCHANGE}
    assert len(told) == 2


def test_a_batch_says_up_to_when_all_is_told() -> None:
    stream = TickStream(1, 5, SYMBOLS)
    told = list(stream.batches(SPAN, 10))
    assert told[-1][1] == SPAN.end
    assert all(datetime.fromisoformat(items[-1]["time"]) <= until for items, until in told)
    assert [until for _, until in told] == sorted(until for _, until in told)
