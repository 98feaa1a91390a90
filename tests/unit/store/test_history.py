"""One instrument's history: draining it again finds nothing to change, and what was reported is never touched."""

from random import Random

import pytest
from marketdata.compute.coverage import buckets_touching
from marketdata.model.timeframe import M1, TIMEFRAMES, timeframe_named
from marketdata.store.history import History

from tests.contract.histories import M5, M15, a_history, candle, span

D1 = timeframe_named("1d")


def everything(history: History) -> list[object]:
    """All candles of all timeframes, revisions included."""
    return [history.candles(timeframe, None, None, 10_000, newest_first=False) for timeframe in TIMEFRAMES]


def test_a_report_says_which_time_it_changed() -> None:
    history = History()
    assert history.report(candle(3)) == (span(3, 4),)
    assert history.report(candle(3)) == ()
    assert history.report(candle(5, timeframe=M5)) == (span(5, 10),)


@pytest.mark.parametrize("seed", range(3))
def test_draining_the_same_time_again_changes_nothing(seed: int) -> None:
    history, (minutes, empty) = History(), a_history(Random(seed))
    for one in minutes:
        history.report(one)
    history.mark_empty(M1, empty)
    history.drain(history.extent(), TIMEFRAMES)
    once = everything(history)
    history.drain(buckets_touching(history.extent(), D1), TIMEFRAMES)
    assert everything(history) == once


def test_a_history_extends_from_its_first_candle_to_the_end_of_its_last() -> None:
    history = History()
    assert history.extent() == ()
    history.report(candle(7))
    history.report(candle(30, timeframe=M15))
    assert history.extent() == (span(7, 45),)


def test_a_timeframe_that_is_not_kept_loses_its_rollups_but_not_its_reports() -> None:
    history = History()
    for one in [candle(0), candle(5, "2", timeframe=M5)]:
        history.report(one)
    history.drain((span(0, 15),), TIMEFRAMES)
    assert len(history.candles(M5, None, None, 10, newest_first=False)) == 2
    history.drain((span(0, 15),), (M1,))
    assert [one.open for one in history.candles(M5, None, None, 10, newest_first=False)] == [2]
    assert history.candles(M15, None, None, 10, newest_first=False) == []
