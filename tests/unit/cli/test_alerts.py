"""`marketdata alerts` on a real store: targets, tests, rules, mutes, what fires, and what is sent again."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from marketdata.errors import RequestInvalid
from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_book import Book
from marketdata.model.alert_rule import Direction, MarketRuleKind
from marketdata.store.alerts import AlertChanges
from marketdata.store.supabase import SupabaseStore
from standardwebhooks import Webhook

from cli.alert_rules import default_clear
from cli.alert_targets import _check
from tests.conftest import RunningSupabase
from tests.market import BTC
from tests.unit.cli.test_coverage import run
from tests.webhook_receiver import Receiver, Reply

HERE = {"MARKETDATA_LOCAL": "1", "ALERT_ALLOW_LOCAL": "1"}
"""Receivers may be on this machine."""


@pytest.mark.stack
def test_a_target_is_added_tested_disabled_and_removed_and_its_address_is_never_shown(
    empty_supabase: RunningSupabase,
) -> None:
    with Receiver() as receiver:
        named = ("alerts", "targets", "add", "ops", "--url", receiver.url, "--min-severity", "info")
        assert run(empty_supabase, *named).returncode == 2
        added = run(empty_supabase, *named, **HERE)
        assert added.returncode == 0, added.stderr
        secret = added.stdout.strip()
        tested = run(empty_supabase, "alerts", "test", **HERE)
        assert tested.returncode == 0, tested.stderr
        (got,) = receiver.received
        assert Webhook(secret).verify(got.body, dict(got.headers))["type"] == "alerts.test"
        receiver.replies = lambda _: Reply(500)
        assert run(empty_supabase, "alerts", "test", "--target", "ops", **HERE).returncode == 1
        assert run(empty_supabase, "alerts", "targets", "disable", "ops").returncode == 0
        assert run(empty_supabase, "alerts", "test", **HERE).returncode == 2
        listed = run(empty_supabase, "alerts", "targets", "list")
        assert "ops" in listed.stdout
        shown = added.stderr + tested.stdout + listed.stdout
        assert receiver.url not in shown
        assert secret not in shown
    assert run(empty_supabase, "alerts", "targets", "remove", "ops").returncode == 0
    assert run(empty_supabase, "alerts", "targets", "remove", "ops").returncode == 2


@pytest.mark.stack
def test_rules_and_mutes_are_made_and_ended(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC])
    rule = ("alerts", "rules", "add", "dear", "coinbase", "btc/usd", "price_crosses")
    assert run(empty_supabase, *rule, "--above", "70000").returncode == 0
    (made,) = store.alert_desk(now=datetime.now(UTC)).rules
    assert (made.symbol, made.bound, made.clear) == ("BTC-USD", Decimal(70_000), Decimal("69860"))
    for wrong in (("--above", "x"), ("--above", "1", "--below", "2"), (), ("--above", "1", "--window", "1h")):
        assert run(empty_supabase, *rule, *wrong).returncode == 2
    assert "dear" in run(empty_supabase, "alerts", "rules", "list").stdout
    assert run(empty_supabase, "alerts", "rules", "remove", "dear").returncode == 0
    muted = run(empty_supabase, "alerts", "mute", "--exchange", "coinbase", "--for", "2h", "--reason", "maintenance")
    assert muted.returncode == 0, muted.stderr
    (silence,) = store.alert_desk(now=datetime.now(UTC)).silences
    assert (str(silence.id), silence.exchange, silence.reason) == (muted.stdout.strip(), "coinbase", "maintenance")
    assert run(empty_supabase, "alerts", "mute", "--for", "0h").returncode == 2
    assert run(empty_supabase, "alerts", "unmute", str(silence.id)).returncode == 0
    assert store.alert_desk(now=datetime.now(UTC)).silences == ()
    store.close()


@pytest.mark.stack
def test_what_fires_is_listed_and_what_was_given_up_is_sent_again(empty_supabase: RunningSupabase) -> None:
    store, now = SupabaseStore(empty_supabase.url, empty_supabase.service_key), datetime.now(UTC)
    store.put_instruments([BTC])
    alert = Alert(
        uuid4(), "coinbase:feed.down", "feed.down", Severity.CRITICAL, AlertState.FIRING, "it is down", now, "coinbase"
    )
    store.commit_alerts(store.alert_desk(now=now).version, AlertChanges(Book(), fired=(alert,)), now=now)
    listed = json.loads(run(empty_supabase, "alerts", "list", "--json").stdout)
    assert [(one["id"], one["rule"], one["deliveries"]) for one in listed["data"]] == [(str(alert.id), "feed.down", [])]
    assert "feed.down" in run(empty_supabase, "alerts", "list", "--state", "firing", "--deliveries").stdout
    assert run(empty_supabase, "alerts", "list", "--state", "loud").returncode == 2
    assert run(empty_supabase, "alerts", "replay").returncode == 2
    assert run(empty_supabase, "alerts", "replay", "--target", "nobody").stdout.strip() == "0 messages wait again"
    store.close()


@pytest.mark.parametrize("url", ["http://example.com/", "https://127.0.0.1/", "https://2130706433/", "https://[::1]/"])
def test_a_target_that_may_not_be_reached_is_not_added(url: str) -> None:
    with pytest.raises(RequestInvalid):
        _check(url, allow_local=False)


@pytest.mark.parametrize(
    ("kind", "direction", "bound", "clear"),
    [
        (MarketRuleKind.PRICE_CROSSES, Direction.ABOVE, "1000", "998"),
        (MarketRuleKind.PRICE_CROSSES, Direction.BELOW, "1000", "1002"),
        (MarketRuleKind.DRAWDOWN, Direction.BELOW, "-20", "-18"),
        (MarketRuleKind.PRICE_MOVES, Direction.EITHER, "5", "4.5"),
    ],
)
def test_a_rule_is_over_a_little_behind_its_bound(
    kind: MarketRuleKind, direction: Direction, bound: str, clear: str
) -> None:
    assert default_clear(kind, direction, Decimal(bound)) == Decimal(clear)
