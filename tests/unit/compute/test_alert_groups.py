"""Who is told what, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from marketdata.compute.alert_groups import ALERTS_A_MESSAGE, Announced, Desk, tell
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Entry, Standing
from marketdata.model.alert_message import Silence
from marketdata.model.alert_target import QuietHours, Target, TargetKind

NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HOOK = Target("hook", TargetKind.GENERIC, "https://hook.example", ("whsec_x",), Severity.INFO)
PAGER = Target("pager", TargetKind.PAGERDUTY, "https://pager.example", ("key",), Severity.INFO)


def alert(rule: str = "gap.unrepaired", **changes: Any) -> Alert:
    """One that fired at noon."""
    severity = Severity.CRITICAL if rule.startswith("feed.") else Severity.WARNING
    symbol = None if rule.startswith("feed.") else "BTC-USD"
    whole = Alert(uuid4(), f"coinbase:{rule}", rule, severity, AlertState.FIRING, "it holds", NOON, "coinbase", symbol)
    return replace(whole, **changes)


def ended(one: Alert, at: datetime) -> Alert:
    return replace(one, state=AlertState.RESOLVED, resolved_at=at)


def announce(*alerts: Alert, now: datetime = NOON + MINUTE, **desk: Any) -> Announced:
    whole: dict[str, Any] = {"entries": {}, "groups": {}, "targets": [HOOK], **desk}
    return tell(Desk(alerts, **whole), now)


def told_ids(announced: Announced) -> list[list[UUID]]:
    """The alerts of each message."""
    return [[one.id for one in telling.alerts] for telling in announced.tellings]


def test_what_fires_of_one_exchange_within_ten_seconds_is_one_message() -> None:
    first, second = alert(), alert("coverage.low", created_at=NOON + 9 * SECOND)
    elsewhere = alert(exchange="kraken")
    assert announce(first, second, now=NOON + 9 * SECOND).tellings == []
    announced = announce(first, second, elsewhere, now=NOON + 10 * SECOND)
    assert told_ids(announced) == [[first.id, second.id], [elsewhere.id]]
    assert sorted(announced.groups) == ["coinbase", "kraken"]
    assert {told for _, told in announced.told} == {Told.FIRING}


def test_a_group_is_told_once_in_five_minutes_but_for_what_is_critical_and_new() -> None:
    recently = {"coinbase": NOON - 2 * MINUTE}
    assert announce(alert(), groups=recently).tellings == []
    assert len(announce(alert(), groups={"coinbase": NOON - 4 * MINUTE}).tellings) == 1
    down = alert("feed.down")
    assert told_ids(announce(down, groups=recently)) == [[down.id]]
    came_and_went = {down.dedup_key: Entry(Standing.FIRING, NOON, changes=(NOON - MINUTE, NOON))}
    assert announce(down, groups=recently, entries=came_and_went).tellings == []


def test_an_exchange_that_is_down_silences_its_symbols_and_no_others() -> None:
    down, gap = alert("feed.down", told=Told.FIRING, told_at=NOON), alert()
    assert announce(down, gap).tellings == []
    other = alert(exchange="kraken")
    assert told_ids(announce(down, gap, other)) == [[other.id]]
    assert announce(down, ended(gap, NOON + 20 * SECOND)).told[0][1] is Told.SILENCED
    back = ended(down, NOON + 30 * SECOND)
    assert told_ids(announce(back, gap)) == [[gap.id, back.id]]


def test_maintenance_and_mutes_silence_what_they_match_for_as_long_as_they_last() -> None:
    window = Silence(uuid4(), NOON, NOON + HOUR, "maintenance", exchange="coinbase")
    gap, other = alert(), alert(exchange="kraken")
    assert told_ids(announce(gap, other, silences=[window])) == [[other.id]]
    assert told_ids(announce(gap, silences=[window], now=NOON + HOUR)) == [[gap.id]]
    assert told_ids(announce(gap, silences=[replace(window, rule="feed.down")])) == [[gap.id]]


def test_of_what_was_told_the_end_is_always_told() -> None:
    gone = ended(alert(told=Told.FIRING, told_at=NOON), NOON + 20 * SECOND)
    muted = Silence(uuid4(), NOON, NOON + HOUR, "muted")
    announced = announce(gone, silences=[muted])
    assert told_ids(announced) == [[gone.id]]
    assert announced.told == [(gone, Told.RESOLVED)]


def test_what_fired_and_ended_before_anybody_heard_is_told_once_as_ended() -> None:
    brief = ended(alert(), NOON + 20 * SECOND)
    announced = announce(brief)
    assert (told_ids(announced), announced.told) == ([[brief.id]], [(brief, Told.RESOLVED)])
    assert announce(replace(brief, told=Told.RESOLVED, told_at=NOON)).tellings == []


def test_what_goes_on_is_told_again_after_four_hours_but_not_what_is_lost_for_good() -> None:
    gap = alert(told=Told.FIRING, told_at=NOON)
    assert announce(gap, now=NOON + 4 * HOUR - SECOND).tellings == []
    assert told_ids(announce(gap, now=NOON + 4 * HOUR)) == [[gap.id]]
    assert announce(replace(gap, rule="gap.unrecoverable"), now=NOON + 9 * HOUR).tellings == []


def test_one_that_flaps_is_told_as_flapping_once() -> None:
    flapping = alert(flapping=True, told=Told.FIRING, told_at=NOON)
    assert announce(flapping).told == [(flapping, Told.FLAPPING)]
    assert announce(replace(flapping, told=Told.FLAPPING)).tellings == []


def test_a_target_hears_of_its_severities_alone_and_a_disabled_one_of_nothing() -> None:
    gap, down = alert(), alert("feed.down", symbol="X")
    deaf = replace(HOOK, name="deaf", min_severity=Severity.ERROR)
    off = replace(HOOK, name="off", enabled=False)
    announced = announce(gap, down, targets=[HOOK, deaf, off])
    assert [(one.target.name, len(one.alerts)) for one in announced.tellings] == [("hook", 2), ("deaf", 1)]


def test_many_alerts_are_several_messages_and_pagerduty_has_one_of_each() -> None:
    many = [alert(dedup_key=f"key {place}") for place in range(ALERTS_A_MESSAGE + 1)]
    assert [len(one.alerts) for one in announce(*many).tellings] == [ALERTS_A_MESSAGE, 1]
    of_each = announce(*many, targets=[PAGER]).tellings
    assert [one.queue for one in of_each] == [one.dedup_key for one in many]


def test_pagerduty_hears_of_an_end_before_the_next_beginning_of_the_same_key() -> None:
    first = ended(alert("feed.down", told=Told.FIRING, told_at=NOON), NOON + 20 * SECOND)
    again = alert("feed.down", created_at=NOON + 30 * SECOND)
    announced = announce(again, first, targets=[PAGER])
    assert told_ids(announced) == [[first.id], [again.id]]
    assert len({one.queue for one in announced.tellings}) == 1


def test_quiet_hours_hold_back_what_is_not_critical_until_they_are_over() -> None:
    quiet = QuietHours("13:00", "15:00", "Europe/Berlin")
    (held,) = announce(alert(), targets=[replace(HOOK, quiet=quiet)]).tellings
    assert held.held_until == NOON + HOUR
    (at_once,) = announce(alert("feed.down"), targets=[replace(HOOK, quiet=quiet)]).tellings
    assert at_once.held_until is None
    (later,) = announce(alert(), targets=[replace(PAGER, quiet=quiet)]).tellings
    assert (later.held_until, later.not_before) == (None, NOON + HOUR)
