"""Our own rules: facts in, conditions out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from marketdata.compute.alert_facts import Facts, FeedFact, GapFact
from marketdata.compute.alert_rules import conditions
from marketdata.model.alert_book import Condition, DayShare
from marketdata.model.alert_message import TargetTrouble
from marketdata.model.alert_rule import RULES
from marketdata.model.budget import ExchangeLimit
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.job_run import JobRun, RunState

NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
EUR = Instrument("oanda", "EUR-USD", "EUR", "USD", calendar=Calendar.FX)
SATURDAY = datetime(2026, 8, 29, 12, tzinfo=UTC)
LIVE = FeedFact("coinbase", "live", NOON - DAY, NOON, last_message_at=NOON, stored_at=NOON)


def found(now: datetime = NOON, **facts: Any) -> list[Condition]:
    """What holds of a world in which all else is well."""
    return list(conditions(Facts(now, **{"instruments": (BTC,), **facts})))


def firm(now: datetime = NOON, **facts: Any) -> list[str]:
    """The keys of what is past its first bound."""
    return [one.dedup_key for one in found(now, **facts) if one.firm]


def feed(**changes: Any) -> dict[str, Any]:
    return {"feeds": (replace(LIVE, **changes),)}


def run(state: RunState, age: timedelta, kind: str = "gap_scan", **changes: Any) -> JobRun:
    return replace(JobRun(1, kind, "w", "schedule", state, NOON - age, NOON), **changes)


def test_when_all_is_well_nothing_holds() -> None:
    assert found() == []
    whole = DayShare("coinbase", "BTC-USD", NOON - DAY, 0.999, 1)
    runs = {"gap_scan": (run(RunState.RUNNING, MINUTE), run(RunState.SUCCEEDED, 6 * MINUTE))}
    assert found(**feed(), shares=(whole,), runs=runs, periods={"gap_scan": 5 * MINUTE}) == []


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"state": "down"}, "coinbase:feed.down"),
        ({"state": "stale"}, "coinbase:feed.stalled"),
        ({"state": "connecting"}, "coinbase:feed.down"),
        ({"stored_at": NOON - 31 * SECOND, "updated_at": NOON - 31 * SECOND}, "coinbase:feed.down"),
        ({"state": "stopped", "stored_at": NOON - MINUTE, "updated_at": NOON - MINUTE}, "coinbase:feed.down"),
    ],
)
def test_a_feed_that_is_down_stalled_or_silent_is_known_from_outside_it(said: dict[str, Any], key: str) -> None:
    assert firm(**feed(**said)) == [key]


def test_a_feed_that_has_just_begun_or_reported_is_not_down() -> None:
    assert firm(**feed(state="connecting", started_at=NOON - 59 * SECOND)) == []
    assert firm(**feed(stored_at=NOON - 30 * SECOND, updated_at=NOON - 30 * SECOND)) == []


def test_of_closed_markets_and_of_exchanges_that_nobody_follows_silence_is_no_trouble() -> None:
    down = replace(LIVE, exchange="oanda", state="down")
    assert firm(SATURDAY, instruments=(EUR,), feeds=(down,)) == []
    assert firm(NOON, instruments=(EUR,), feeds=(down,)) == ["oanda:feed.down"]
    assert firm(instruments=(replace(BTC, active=False),), **feed(state="down")) == []
    gap = GapFact("oanda", "EUR-USD", 1, 1, SATURDAY - 10 * MINUTE)
    assert firm(SATURDAY, instruments=(EUR,), gaps=(gap,)) == []


def test_the_feed_s_clock_is_judged_by_the_store_s_with_room_between_the_bounds() -> None:
    assert firm(**feed(updated_at=NOON - 3 * SECOND)) == ["coinbase:clock.skew"]
    assert firm(**feed(updated_at=NOON + 3 * SECOND)) == ["coinbase:clock.skew"]
    (between,) = found(**feed(updated_at=NOON - 1.5 * SECOND))
    assert not between.firm
    assert found(**feed(updated_at=NOON - SECOND)) == []


def test_a_spool_is_told_of_when_it_is_half_full_and_over_when_a_quarter_is() -> None:
    assert firm(**feed(spooled=501, spool_max=1_000)) == ["coinbase:spool.filling"]
    (between,) = found(**feed(spooled=500, spool_max=1_000))
    assert not between.firm
    assert found(**feed(spooled=250, spool_max=1_000)) == []
    assert found(**feed(spooled=5)) == []


def test_a_gap_that_nobody_repaired_for_five_minutes_is_told_of_by_symbol() -> None:
    gap = GapFact("coinbase", "BTC-USD", 2, 7, NOON - 5 * MINUTE - SECOND)
    (one,) = found(gaps=(gap,))
    assert (one.dedup_key, one.context["minutes"]) == ("coinbase:BTC-USD:gap.unrepaired", 7)
    assert found(gaps=(replace(gap, oldest=NOON - 5 * MINUTE),)) == []


def test_a_day_below_the_promise_is_told_of_and_one_that_keeps_it_is_not() -> None:
    share = DayShare("coinbase", "BTC-USD", NOON - DAY, 0.998999, 2)
    (one,) = found(shares=(share,))
    assert one.dedup_key == "coinbase:BTC-USD:coverage.low"
    assert "99.89 %" in one.summary


def test_an_exchange_that_limits_is_told_from_one_that_bans() -> None:
    limits = (ExchangeLimit("coinbase", NOON, "HTTP 429"), ExchangeLimit("binance", NOON, "HTTP 418"))
    assert firm(limits=limits) == ["coinbase:exchange.limited", "binance:exchange.banned"]


def test_a_job_is_missed_after_three_periods_and_failing_after_three_failures() -> None:
    periods = {"gap_scan": 5 * MINUTE}
    late = {"gap_scan": (run(RunState.SUCCEEDED, 20 * MINUTE + SECOND),)}
    assert firm(runs=late, periods=periods) == ["gap_scan:job.missed"]
    assert firm(runs={"gap_scan": (run(RunState.SUCCEEDED, 20 * MINUTE),)}, periods=periods) == []
    bad = [
        run(RunState.RUNNING, MINUTE),
        run(RunState.FAILED, 5 * MINUTE, error="why"),
        run(RunState.LOST, 10 * MINUTE),
    ]
    assert firm(runs={"gap_scan": tuple(bad)}, periods=periods) == []
    (failing,) = found(runs={"gap_scan": (*bad, run(RunState.FAILED, 15 * MINUTE))}, periods=periods)
    assert (failing.dedup_key, failing.context["reason"]) == ("gap_scan:job.failing", "why")
    assert firm(runs={"unknown": tuple(bad)}, periods=periods) == []


def test_candles_that_differ_from_the_exchange_s_own_are_told_of_until_a_comparison_finds_none() -> None:
    differs = run(RunState.SUCCEEDED, DAY, "reconcile", result={"kept": 2, "examples": ["a"] * 9})
    agrees = run(RunState.SUCCEEDED, MINUTE, "reconcile", result={"kept": 0})
    (one,) = found(runs={"reconcile": (run(RunState.FAILED, MINUTE, "reconcile"), differs)})
    assert (one.rule, one.context) == ("venue.divergence", {"value": 2, "examples": ["a"] * 5})
    assert firm(runs={"reconcile": (agrees, differs)}) == []


def test_a_target_that_does_not_hear_is_told_of_to_the_others() -> None:
    assert firm(troubles=(TargetTrouble("x", 1, 0, 2),)) == []
    for trouble in (TargetTrouble("x", 1, 0, 3), TargetTrouble("x", dead=1), TargetTrouble("x", disabled_reason="410")):
        assert firm(troubles=(trouble,)) == ["x:delivery.failing"]


def test_no_key_holds_a_measured_value() -> None:
    worse = {**feed(spooled=600, spool_max=1_000, updated_at=NOON - 9 * SECOND)}
    worst = {**feed(spooled=999, spool_max=1_000, updated_at=NOON - 20 * SECOND)}
    assert firm(**worse) == firm(**worst)


def test_every_rule_has_its_section_in_the_runbook() -> None:
    runbook = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text()
    headings = {line[3:].strip() for line in runbook.splitlines() if line.startswith("## ")}
    assert {name for name in RULES if name not in headings} == set()
    assert all(RULES[name].runbook == name.replace(".", "") for name in RULES)
    assert "Market rules" in headings
