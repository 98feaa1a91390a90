"""What the desk and the outbox of alerts mean, over the store in memory and the one in Supabase."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from marketdata.compute.alert_facts import GapFact
from marketdata.compute.alert_machine import Flapped, Resolved
from marketdata.errors import StoreError
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Book, DayShare, Entry, Standing
from marketdata.model.alert_message import AlertMessage, MessageState, Silence, TargetTrouble, Try, Verdict
from marketdata.model.alert_rule import Direction, MarketRule, MarketRuleKind
from marketdata.model.alert_target import QuietHours, Target, TargetKind
from marketdata.model.gap import GapState
from marketdata.model.timeframe import M1
from marketdata.store.alerts import AlertChanges, AlertDesk, AlertQuestion, MissedHistory
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, MINUTE, MONDAY, NOON, span

SECOND = timedelta(seconds=1)
PAGER = Target(
    "pager",
    TargetKind.PAGERDUTY,
    "https://events.example/v2",
    ("routing",),
    Severity.ERROR,
    QuietHours("22:00", "07:00", "Europe/Berlin"),
)
HOOK = Target("hook", TargetKind.GENERIC, "https://hook.example/x", ("whsec_a", "whsec_b"))
RULE = MarketRule(
    "dear",
    MarketRuleKind.PRICE_CROSSES,
    "coinbase",
    "BTC-USD",
    Decimal("0.00000001"),
    Decimal("70000.50"),
    Direction.BELOW,
    created_at=NOON,
)


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, with two instruments and the target `hook`."""
    if request.param == "memory":
        memory = MemoryStore()
        memory.put_instruments([BTC, ETH])
        memory.put_target(HOOK)
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    supabase = SupabaseStore(running.url, running.service_key)
    supabase.put_instruments([BTC, ETH])
    supabase.put_target(HOOK)
    yield supabase
    supabase.close()


def alert(key: str = "coinbase:feed.down", **changes: Any) -> Alert:
    """One that fires."""
    whole = Alert(
        id=uuid4(),
        dedup_key=key,
        rule="feed.down",
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        summary="coinbase: the feed is not connected",
        created_at=NOON,
        exchange="coinbase",
        context={"value": 47.5, "reason": "DNS"},
        started_at=NOON - MINUTE,
    )
    return replace(whole, **changes)


def message(target: str = "hook", about: Alert | None = None, **changes: Any) -> AlertMessage:
    """One that is due at noon."""
    notice = {"kind": "alerts", "title": "x", "alerts": [{"alert_id": str(about.id)}] if about else []}
    return replace(AlertMessage(uuid4(), target, notice, Severity.ERROR, NOON, NOON), **changes)


def commit(store: Store, **changes: Any) -> bool:
    """Over the version that is there."""
    return store.commit_alerts(store.alert_desk(now=NOON).version, AlertChanges(Book(), **changes), now=NOON)


def claim(store: Store, worker: str = "ann", at: Any = NOON, limit: int = 8) -> list[AlertMessage]:
    return store.claim_messages(worker, now=at, lease_seconds=60, limit=limit)


def verdict(one: AlertMessage, state: MessageState = MessageState.DELIVERED, **changes: Any) -> Verdict:
    return replace(Verdict(state, Try(one.attempt, NOON, 200, "", 0.25)), **changes)


def states(store: Store) -> list[MessageState]:
    """Of all messages, oldest first."""
    return [one.state for one in store.alert_messages(limit=100)][::-1]


# The desk


def test_a_new_desk_is_empty_but_for_its_targets(store: Store) -> None:
    desk = store.alert_desk(now=NOON)
    assert desk == AlertDesk(version=desk.version, targets=(HOOK,))


def test_what_was_decided_comes_back_as_it_was_written(store: Store) -> None:
    book = Book(
        entries={"k": Entry(Standing.FIRING, NOON, NOON + MINUTE, (NOON,), True, NOON, uuid4(), 30.0)},
        groups={"coinbase": NOON},
        heartbeat_at=NOON,
        shares=(DayShare("coinbase", "BTC-USD", MONDAY, 0.99, 14),),
        shares_at=NOON,
    )
    store.put_target(PAGER)
    store.put_market_rule(RULE)
    silence = Silence(uuid4(), NOON, NOON + MINUTE, "maintenance", exchange="coinbase")
    store.put_silence(silence)
    before, fired = store.alert_desk(now=NOON), alert()
    assert store.commit_alerts(before.version, AlertChanges(book, fired=(fired,)), now=NOON)
    desk = store.alert_desk(now=NOON)
    assert (desk.version, desk.book) == (before.version + 1, book)
    assert (desk.targets, desk.rules, desk.silences) == ((HOOK, PAGER), (RULE,), (silence,))
    assert desk.alerts == (replace(fired, number=desk.alerts[0].number),)
    assert store.alert_desk(now=NOON + MINUTE).silences == ()


def test_who_was_overtaken_changes_nothing(store: Store) -> None:
    version, mine = store.alert_desk(now=NOON).version, alert()
    assert commit(store, fired=(alert("another"),))
    changes = AlertChanges(Book(groups={"x": NOON}), fired=(mine,), messages=(message(about=mine),))
    before = store.alert_desk(now=NOON)
    assert not store.commit_alerts(version, changes, now=NOON)
    assert store.alert_desk(now=NOON) == before
    assert store.alert_messages(limit=10) == []


def test_of_twenty_evaluations_of_one_version_one_is_written(store: Store) -> None:
    version = store.alert_desk(now=NOON).version

    def write(place: int) -> bool:
        changes = AlertChanges(Book(), fired=(alert(f"key {place}"),))
        return store.commit_alerts(version, changes, now=NOON)

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert sum(pool.map(write, range(20))) == 1
    assert len(store.find_alerts(AlertQuestion())) == 1


def test_all_is_written_or_nothing(store: Store) -> None:
    commit(store, fired=(alert(),))
    before = store.alert_desk(now=NOON)
    with pytest.raises(StoreError):
        commit(store, fired=(alert(),), messages=(message(),))
    assert store.alert_desk(now=NOON) == before
    assert store.alert_messages(limit=10) == []


def test_an_alert_lags_until_its_state_was_told(store: Store) -> None:
    fired = alert()
    commit(store, fired=(fired,))
    assert [one.lags for one in store.alert_desk(now=NOON).alerts] == [True]
    commit(store, told=((fired.id, Told.FIRING),))
    (told,) = store.alert_desk(now=NOON).alerts
    assert (told.lags, told.told, told.told_at) == (False, Told.FIRING, NOON)
    commit(store, flapped=(Flapped(fired.id, flapping=True),))
    assert [one.lags for one in store.alert_desk(now=NOON).alerts] == [True]
    commit(store, told=((fired.id, Told.FLAPPING),))
    commit(store, resolved=(Resolved(fired.id, NOON + MINUTE),))
    (ended,) = store.alert_desk(now=NOON).alerts
    assert (ended.lags, ended.state, ended.resolved_at) == (True, AlertState.RESOLVED, NOON + MINUTE)
    commit(store, told=((fired.id, Told.RESOLVED),))
    assert store.alert_desk(now=NOON).alerts == ()


def test_a_gap_that_is_given_up_lags_like_any_other_alert_and_leaves_the_desk_when_told(store: Store) -> None:
    store.record_gaps(BTC, M1, [span(3, 5)], cause="scan", found_at=NOON)
    (gap,) = store.claim_gaps("worker", now=NOON, lease_seconds=60, limit=1)
    store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON, reason="nothing came")
    (lost,) = store.alert_desk(now=NOON).alerts
    assert (lost.rule, lost.lags, lost.began) == ("gap.unrecoverable", True, NOON)
    commit(store, told=((lost.id, Told.FIRING),))
    assert store.alert_desk(now=NOON).alerts == ()


def test_alerts_are_found_by_what_they_are_page_by_page(store: Store) -> None:
    commit(
        store,
        fired=(
            alert("a"),
            alert("b", rule="spool.filling", severity=Severity.ERROR),
            alert("c", exchange="x", symbol="Y"),
        ),
    )
    newest_first = store.find_alerts(AlertQuestion())
    assert [one.dedup_key for one in newest_first] == ["c", "b", "a"]
    assert store.find_alerts(AlertQuestion(before=newest_first[0].number, limit=1)) == newest_first[1:2]
    assert store.find_alerts(AlertQuestion(severities=(Severity.ERROR,))) == newest_first[1:2]
    assert store.find_alerts(AlertQuestion(rule="spool.filling", exchange="coinbase")) == newest_first[1:2]
    assert store.find_alerts(AlertQuestion(exchange="x", symbol="Y")) == newest_first[:1]
    assert store.find_alerts(AlertQuestion(states=(AlertState.RESOLVED,))) == []


# Facts


def test_gaps_that_nobody_repairs_are_counted_by_instrument_without_ordered_history(store: Store) -> None:
    store.record_gaps(BTC, M1, [span(0, 2), span(10, 11)], cause="scan", found_at=NOON)
    store.record_gaps(BTC, M1, [span(20, 21)], cause="disconnect", found_at=NOON + MINUTE)
    store.record_gaps(ETH, M1, [span(0, 60)], cause="history", found_at=NOON)
    assert store.unrepaired_gaps(before=NOON) == []
    assert store.unrepaired_gaps(before=NOON + SECOND) == [GapFact("coinbase", "BTC-USD", 2, 3, NOON)]
    (everything,) = store.unrepaired_gaps(before=NOON + 2 * MINUTE)
    assert (everything.gaps, everything.minutes, everything.oldest) == (3, 4, NOON)


def test_what_became_of_the_history_of_a_time_is_told_by_the_part_inside_it(store: Store) -> None:
    store.record_gaps(BTC, M1, [span(0, 10), span(20, 24), span(30, 31)], cause="scan", found_at=NOON)
    for state in (GapState.UNRECOVERABLE, GapState.FILLED):
        (gap,) = store.claim_gaps("worker", now=NOON, lease_seconds=60, limit=1)
        store.resolve_gap(gap, state=state, now=NOON)
    asked = span(22, 60)
    assert store.missed_history("coinbase", "BTC-USD", asked) == MissedHistory(
        minutes=2, lost=(("BTC-USD", span(30, 31).start, span(30, 31).end),)
    )
    whole = store.missed_history("coinbase", None, span(5, 60))
    assert (whole.minutes, whole.waiting) == (4, (("BTC-USD", span(5, 10).start, span(5, 10).end),))
    assert store.missed_history("nowhere", None, span(5, 60)) == MissedHistory()


# The outbox


def test_a_message_is_written_with_what_it_tells_and_found_by_it(store: Store) -> None:
    fired, other = alert(), alert("other")
    commit(store, fired=(fired, other), told=((fired.id, Told.FIRING),), messages=(message(about=fired), message()))
    (found,) = store.alert_messages(alerts=[fired.id], limit=10)
    assert found.notice["alerts"] == [{"alert_id": str(fired.id)}]
    assert (found.state, found.attempt, found.tries) == (MessageState.WAITING, 0, ())
    assert store.alert_messages(alerts=[other.id], limit=10) == []
    assert len(store.alert_messages(target="hook", states=[MessageState.WAITING], limit=10)) == 2


def test_a_message_is_leased_once_at_a_time_and_each_lease_is_an_attempt(store: Store) -> None:
    store.put_messages([message()])
    (leased,) = claim(store)
    assert (leased.attempt, leased.worker, leased.lease_until) == (1, "ann", NOON + MINUTE)
    assert claim(store, "bob", NOON + 59 * SECOND) == []
    (again,) = claim(store, "bob", NOON + MINUTE)
    assert (again.id, again.attempt, again.worker) == (leased.id, 2, "bob")


def test_who_lost_the_lease_writes_nothing(store: Store) -> None:
    store.put_messages([message()])
    (zombie,) = claim(store)
    (holder,) = claim(store, "bob", NOON + MINUTE)
    assert not store.record_try(zombie, verdict(zombie))
    assert states(store) == [MessageState.WAITING]
    assert store.record_try(holder, verdict(holder))
    assert not store.record_try(zombie, verdict(zombie))
    (delivered,) = store.alert_messages(limit=10)
    assert (delivered.state, delivered.delivered_at, delivered.last_status) == (MessageState.DELIVERED, NOON, 200)
    assert delivered.tries == (Try(2, NOON, 200, "", 0.25),)


def test_a_verdict_said_again_is_true_and_changes_nothing(store: Store) -> None:
    store.put_messages([message()])
    (leased,) = claim(store)
    later = verdict(leased, MessageState.WAITING, next_at=NOON + 5 * SECOND)
    assert store.record_try(leased, later)
    before = store.alert_messages(limit=10)
    assert store.record_try(leased, later)
    assert store.alert_messages(limit=10) == before
    assert claim(store, "bob", NOON + 4 * SECOND) == []
    assert [one.attempt for one in claim(store, "bob", NOON + 5 * SECOND)] == [2]


def test_twenty_deliverers_at_once_share_one_message_and_no_target(store: Store) -> None:
    store.put_target(PAGER)
    store.put_messages([message(), message(), message("pager")])
    with ThreadPoolExecutor(max_workers=8) as pool:
        leased = [one for found in pool.map(lambda place: claim(store, f"w{place}"), range(20)) for one in found]
    assert sorted(one.target for one in leased) == ["hook", "pager"]


def test_the_oldest_message_of_a_target_goes_first_and_of_a_queue_no_other(store: Store) -> None:
    first, second, free = message(queue="k", next_at=NOON + MINUTE), message(queue="k"), message()
    store.put_messages([first, second, free])
    assert [one.id for one in claim(store)] == [free.id]
    store.record_try(*((one := claim(store, "bob", NOON + MINUTE)[0]), verdict(one)))
    assert one.id == first.id
    assert [one.id for one in claim(store, "cid", NOON + MINUTE)] == [second.id]


def test_a_target_that_is_disabled_keeps_its_messages_and_gets_none(store: Store) -> None:
    store.put_messages([message(), message()])
    (leased,) = claim(store)
    assert store.record_try(leased, verdict(leased, MessageState.DEAD, disables="HTTP 410: the receiver is gone"))
    desk = store.alert_desk(now=NOON)
    assert (desk.targets[0].enabled, desk.targets[0].disabled_reason) == (False, "HTTP 410: the receiver is gone")
    assert desk.troubles == (TargetTrouble("hook", 1, 1, 0, "HTTP 410: the receiver is gone"),)
    assert claim(store) == []
    store.put_target(HOOK)
    assert len(claim(store)) == 1


def test_a_dead_message_waits_again_when_it_is_replayed_and_keeps_its_id(store: Store) -> None:
    store.put_messages([message()])
    (leased,) = claim(store)
    store.record_try(leased, verdict(leased, MessageState.DEAD))
    assert store.replay_messages(now=NOON) == 0
    assert store.replay_messages(now=NOON + MINUTE, target="hook") == 1
    (again,) = claim(store, "bob", NOON + MINUTE)
    assert (again.id, again.attempt, again.tries) == (leased.id, 1, ())
    store.record_try(again, verdict(again))
    assert store.replay_messages(now=NOON, target="hook") == 0
    assert store.replay_messages(now=NOON, message_id=leased.id) == 1


def test_what_quiet_hours_keep_back_is_on_the_desk_when_they_are_over_until_it_is_digested(store: Store) -> None:
    held = message(state=MessageState.HELD, next_at=NOON + MINUTE)
    store.put_messages([held])
    assert claim(store, at=NOON + MINUTE) == []
    assert store.alert_desk(now=NOON).held == ()
    assert [one.id for one in store.alert_desk(now=NOON + MINUTE).held] == [held.id]
    commit(store, digested=(held.id,))
    assert store.alert_desk(now=NOON + MINUTE).held == ()
    assert states(store) == [MessageState.DIGESTED]


def test_a_message_put_twice_is_there_once(store: Store) -> None:
    one = message()
    assert [store.put_messages([one]), store.put_messages([one])] == [1, 0]


def test_a_target_that_is_removed_gives_up_what_waited_for_it(store: Store) -> None:
    store.put_messages([message()])
    assert store.remove_target("hook")
    assert not store.remove_target("hook")
    (gone,) = store.alert_messages(limit=10)
    assert (gone.state, gone.last_error) == (MessageState.DEAD, "the target was removed")


def test_rules_and_silences_are_replaced_and_removed_by_name(store: Store) -> None:
    store.put_market_rule(RULE)
    store.put_market_rule(replace(RULE, bound=Decimal(5), created_at=NOON + MINUTE))
    assert store.alert_desk(now=NOON).rules == (replace(RULE, bound=Decimal(5)),)
    assert [store.remove_market_rule("dear"), store.remove_market_rule("dear")] == [True, False]
    silence = Silence(UUID(int=7), NOON, NOON + MINUTE, "muted")
    store.put_silence(silence)
    assert [store.remove_silence(silence.id), store.remove_silence(silence.id)] == [True, False]
    with pytest.raises(StoreError):
        store.put_silence(replace(silence, ends_at=NOON))


@pytest.mark.parametrize(("worker", "lease", "limit"), [("", 60, 1), ("ann", 0, 1), ("ann", 3_601, 1), ("ann", 60, 0)])
def test_a_lease_that_is_none_is_refused(store: Store, worker: str, lease: float, limit: int) -> None:
    with pytest.raises(StoreError):
        store.claim_messages(worker, now=NOON, lease_seconds=lease, limit=limit)


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "n" * 61}, {"url": ""}, {"secrets": ("whsec_a",) * 6}])
def test_a_target_that_cannot_be_is_refused_without_a_word_of_its_secrets(store: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError) as refusal:
        store.put_target(replace(HOOK, **wrong))
    assert "whsec" not in str(refusal.value)
    assert "hook.example" not in str(refusal.value)
