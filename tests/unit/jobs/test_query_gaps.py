"""Questions for gaps: each once, in the order of their numbers, of those who are asked about."""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import Ambiguous, RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_gaps import GAPS_A_READ, READS_MAX, query_gaps
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.serve.cursor import Cursors
from marketdata.serve.params import GapQuery
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, MINUTE, a_store, at

NOON = at("12:00")
CURSORS = Cursors("a secret")


def a_ledger(count: int = 3) -> MemoryStore:
    """Single minutes missing in turn of both instruments: odd numbers are of BTC-USD."""
    store = a_store()
    for number in range(count):
        start = at("10:00") + 2 * number * MINUTE
        for instrument in (BTC, ETH):
            store.record_gaps(instrument, M1, [Span(start, start + MINUTE)], cause="scan", found_at=NOON)
    return store


def ask(store: MemoryStore, query: GapQuery) -> dict[str, Any]:
    clock = FakeClock(NOON)
    answer: dict[str, Any] = json.loads(query_gaps(store, KnownInstruments(store, clock), CURSORS, clock, query))
    return answer


def numbers(store: MemoryStore, query: GapQuery) -> list[int]:
    return [record["id"] for record in ask(store, query)["data"]]


def pages(store: MemoryStore, query: GapQuery) -> Iterator[list[int]]:
    cursor = None
    for _ in range(100):
        answer = ask(store, replace(query, cursor=cursor))
        yield [record["id"] for record in answer["data"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            return
    pytest.fail("there is no end of pages")


def test_all_of_them_or_those_of_one_symbol_or_one_exchange() -> None:
    store = a_ledger()
    assert numbers(store, GapQuery()) == [1, 2, 3, 4, 5, 6]
    assert numbers(store, GapQuery(symbol="eth/usd")) == [2, 4, 6]
    assert numbers(store, GapQuery(exchange="Coinbase")) == [1, 3, 5]
    assert numbers(store, GapQuery("BTC-USD", "coinbase")) == [1, 3, 5]


@pytest.mark.parametrize("exchange", [None, "coinbase", "coinbase-simulated"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_have_every_gap_once(exchange: str | None, limit: int) -> None:
    store = a_ledger(10)
    query = GapQuery(exchange=exchange, limit=limit)
    paged = list(pages(store, query))
    assert [number for page in paged for number in page] == numbers(store, replace(query, limit=50))
    assert all(len(page) <= limit for page in paged)


def test_a_gap_that_is_found_between_two_pages_moves_nothing() -> None:
    store = a_ledger()
    first = ask(store, GapQuery(limit=4))
    store.record_gaps(BTC, M1, [Span(at("09:00"), at("09:01"))], cause="scan", found_at=NOON)
    rest = ask(store, GapQuery(limit=4, cursor=first["next_cursor"]))
    assert [record["id"] for record in rest["data"]] == [5, 6, 7]


def test_only_unresolved_gaps_unless_a_state_is_named() -> None:
    store = a_ledger(1)
    [leased] = store.claim_gaps("worker", now=NOON, lease_seconds=60, limit=1, exchange="coinbase")
    assert numbers(store, GapQuery()) == [1, 2]
    store.resolve_gap(leased, state=GapState.UNRECOVERABLE, now=NOON, reason="the exchange has forgotten")
    assert numbers(store, GapQuery()) == [2]
    [lost] = ask(store, GapQuery(states=(GapState.UNRECOVERABLE,)))["data"]
    assert (lost["state"], lost["reason"], lost["attempts"]) == ("unrecoverable", "the exchange has forgotten", 1)
    assert lost["repaired_at"] == "2026-08-09T12:00:00Z"
    assert numbers(store, GapQuery(states=tuple(GapState))) == [1, 2]


def test_a_cursor_continues_its_own_question_alone() -> None:
    store = a_ledger()
    cursor = ask(store, GapQuery(limit=1))["next_cursor"]
    for other in (GapQuery("BTC-USD"), GapQuery(exchange="coinbase"), GapQuery(states=(GapState.OPEN,))):
        with pytest.raises(RequestInvalid, match="another question"):
            ask(store, replace(other, cursor=cursor))


def test_a_symbol_of_two_exchanges_is_ambiguous() -> None:
    store = a_ledger()
    store.put_instruments([Instrument("bitfinex", "tBTCUSD", "BTC", "USD")])
    with pytest.raises(Ambiguous):
        ask(store, GapQuery("BTC-USD"))


class CrowdedStore(MemoryStore):
    """A store whose ledger has `crowd` gaps of BTC-USD, and then one of ETH-USD."""

    def __init__(self, crowd: int) -> None:
        super().__init__()
        self.put_instruments([BTC, ETH])
        span = Span(at("10:00"), at("10:01"))
        keys = [*[BTC.key] * crowd, ETH.key]
        self.crowd = [Gap(n, *key, M1, span, GapState.OPEN, "scan", NOON) for n, key in enumerate(keys, start=1)]

    def gaps(
        self,
        *,
        states: Collection[GapState] | None = None,
        instrument: Instrument | None = None,
        limit: int,
        after_id: int | None = None,
    ) -> list[Gap]:
        return self.crowd[after_id or 0 :][:limit]


def test_a_rare_exchange_among_very_many_gaps_is_found_over_some_pages() -> None:
    crowd = GAPS_A_READ * READS_MAX + 5
    assert list(pages(CrowdedStore(crowd), GapQuery(exchange="coinbase-simulated"))) == [[], [crowd + 1]]
