"""What the live stream is told of gaps and alerts that other processes moved."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from marketdata.clock import FakeClock
from marketdata.compute.alert_machine import Resolved
from marketdata.jobs.announce_news import AnnounceNews
from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_book import Book
from marketdata.model.alert_message import AlertMessage
from marketdata.model.alert_target import Target, TargetKind
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.alerts import AlertChanges
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, a_store, at

NOON = at("12:00")
DOWN = Alert(
    id=uuid4(),
    dedup_key="coinbase:feed.down",
    rule="feed.down",
    severity=Severity.CRITICAL,
    state=AlertState.FIRING,
    summary="coinbase: the feed is not connected",
    created_at=NOON,
    exchange="coinbase",
)


@dataclass
class Hub:
    """Remembers what was published: kind, exchange, symbol, record, and what it is conflated with."""

    told: list[tuple[str, str, str, dict[str, Any], str | None]] = field(default_factory=list)

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        self.told.append((kind, exchange, symbol, json.loads(document), conflation_key))


def announcing(store: MemoryStore, hub: Hub, exchange: str | None = None, *, alerts_too: bool = True) -> AnnounceNews:
    """The job of a feed that follows `exchange`, or all."""
    return AnnounceNews(
        store,
        hub.publish,
        FakeClock(NOON),
        lambda named, _: exchange is None or named is None or named == exchange,
        alerts_too=alerts_too,
    )


def record(store: MemoryStore, instrument: Instrument = BTC) -> Gap:
    store.record_gaps(instrument, M1, [Span(at("10:00"), at("10:05"))], cause="scan", found_at=NOON)
    return store.gaps(instrument=instrument, limit=1)[0]


def commit(store: MemoryStore, **changes: Any) -> None:
    version = store.alert_desk(now=NOON).version
    assert store.commit_alerts(version, AlertChanges(Book(), **changes), now=NOON)


async def test_a_gap_that_others_found_and_filled_is_told_in_the_words_of_the_api() -> None:
    store, hub = a_store(), Hub()
    news = announcing(store, hub)
    await news.look()
    gap = record(store, ETH)
    await news.look()
    (leased,) = store.claim_gaps("mover", now=NOON, lease_seconds=60, limit=1)
    store.resolve_gap(leased, state=GapState.FILLED, now=NOON)
    await news.look()
    await news.look()
    opened, filled = hub.told
    assert opened[:3] == ("gap", "coinbase-simulated", "ETH-USD")
    assert opened[3] == {
        "id": gap.id,
        "exchange": "coinbase-simulated",
        "symbol": "ETH-USD",
        "timeframe": "1m",
        "start": "2026-08-09T10:00:00Z",
        "end": "2026-08-09T10:05:00Z",
        "buckets": 5,
        "state": "open",
        "cause": "scan",
        "reason": "",
        "attempts": 0,
        "found_at": "2026-08-09T12:00:00Z",
        "retry_at": None,
        "repaired_at": None,
        "simulated": True,
    }
    assert filled[3] == opened[3] | {"state": "filled", "attempts": 1, "repaired_at": "2026-08-09T12:00:00Z"}
    assert opened[4] == filled[4] == f"gap:{gap.id}"


async def test_what_was_there_before_the_feed_began_is_not_told() -> None:
    store, hub = a_store(), Hub()
    record(store)
    commit(store, fired=(DOWN,))
    news = announcing(store, hub)
    await news.look()
    await news.look()
    assert hub.told == []


async def test_an_alert_is_told_when_it_fires_and_ends_with_its_deliveries() -> None:
    store, hub = a_store(), Hub()
    store.put_target(Target("hook", TargetKind.GENERIC, "https://hook.example/x"))
    news = announcing(store, hub)
    await news.look()
    notice = {"kind": "alerts", "title": "x", "alerts": [{"alert_id": str(DOWN.id)}]}
    commit(store, fired=(DOWN,), messages=(AlertMessage(uuid4(), "hook", notice, Severity.ERROR, NOON, NOON),))
    await news.look()
    commit(store, resolved=(Resolved(DOWN.id, at("12:01")),))
    await news.look()
    fired, resolved = hub.told
    assert fired[:3] == ("alert", "coinbase", "")
    assert (fired[3]["rule"], fired[3]["state"]) == ("feed.down", "firing")
    assert [(one["target"], one["state"]) for one in fired[3]["deliveries"]] == [("hook", "waiting")]
    assert (resolved[3]["id"], resolved[3]["state"], resolved[3]["seconds"]) == (str(DOWN.id), "resolved", 60.0)


async def test_an_alert_about_no_exchange_is_everybody_s() -> None:
    store, hub = a_store(), Hub()
    news = announcing(store, hub, "coinbase")
    await news.look()
    commit(store, fired=(replace(DOWN, exchange=None, rule="store.slow"),))
    await news.look()
    assert [one[:3] for one in hub.told] == [("alert", "", "")]


async def test_a_feed_tells_of_its_own_markets_alone() -> None:
    store, hub = a_store(), Hub()
    news = announcing(store, hub, "coinbase")
    await news.look()
    record(store, BTC)
    record(store, ETH)
    await news.look()
    assert [one[2] for one in hub.told] == ["BTC-USD"]


async def test_where_reads_are_closed_alerts_are_not_on_the_stream() -> None:
    store, hub = a_store(), Hub()
    news = announcing(store, hub, alerts_too=False)
    await news.look()
    record(store)
    commit(store, fired=(DOWN,))
    await news.look()
    assert [one[0] for one in hub.told] == ["gap"]
