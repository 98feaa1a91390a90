"""Exactly once through the ingest door: wherever the store breaks, a retry loses nothing and doubles nothing."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from functions.ingest.handler import application
from tests.functions.calls import Answer, call, event, settings
from tests.market import BTC, at

NOW = at("12:00")
PUSHED = Instrument("webhook", "BTCUSDT", "BTC", "USDT")
TRADES = [
    {"symbol": "BTC-USD", "id": number, "time": f"2026-08-09T10:0{minute}:0{number}Z", "price": str(100 + number)}
    | {"size": "0.5", "side": "sell" if number % 2 else "buy"}
    for number, minute in enumerate((0, 0, 1, 1, 3, 4))
]
TICKS = [
    {"symbol": "BTCUSDT", "ts": f"2026-08-09T10:0{minute}:0{number}Z", "price": 100 + number, "volume": "0.25"}
    for number, minute in enumerate((0, 0, 1, 3, 3, 4))
]
DOORS: dict[str, tuple[Callable[[Sequence[Any]], str], list[Any]]] = {
    "/v1/ingest": (lambda items: json.dumps({"exchange": "coinbase", "trades": items}), TRADES),
    "/v1/webhooks/ticks": (lambda items: json.dumps({"items": items}), TICKS),
}
WRITES = ("put_trades", "put_candles", "keep_ticks", "fold_ticks", "keep_answer", "recall_answer")


class BreakingStore(MemoryStore):
    """Breaks at the calls of that name, before they did anything or after all was done, as often as `breaks` says."""

    def __init__(self, name: str = "", *, after: bool = False, breaks: int = 0) -> None:
        super().__init__()
        self.put_instruments([BTC, PUSHED])
        if name:
            setattr(self, name, self._breaking(getattr(self, name), after))
        self.breaks = breaks

    def _breaking(self, work: Callable[..., Any], after: bool) -> Callable[..., Any]:
        def call_it(*arguments: Any, **named: Any) -> Any:
            done = work(*arguments, **named) if after or not self.breaks else None
            if self.breaks:
                self.breaks -= 1
                raise StoreError("write", "the connection was cut")
            return done

        return call_it

    def held(self) -> list[tuple[Any, ...]]:
        """All candles, but for how often they changed."""
        found: list[Candle] = []
        for instrument in (BTC, PUSHED):
            found += self.candles(instrument, M1, start=None, end=None, limit=100)
        return [
            (one.symbol, one.open_time, one.open, one.high, one.low, one.close, one.volume, one.trades, one.source)
            for one in found
        ]


def send(store: MemoryStore, path: str, items: Sequence[Any], key: str | None = None) -> Answer:
    door = application(store, settings(INGEST_API_KEYS="a-key", INGEST_RATE_LIMIT_PER_MINUTE="0"), FakeClock(NOW))
    headers = {"x-api-key": "a-key", **({"idempotency-key": key} if key else {})}
    return call(door, event("POST", path, headers=headers, body=DOORS[path][0](items)))


def clean(path: str) -> list[tuple[Any, ...]]:
    store = BreakingStore()
    assert send(store, path, DOORS[path][1]).json == {"accepted": 6, "duplicates": 0, "rejected": []}
    return store.held()


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("key", [None, "a-request"])
def test_a_retry_after_the_store_broke_anywhere_ends_in_the_same_candles(
    path: str, name: str, after: bool, key: str | None
) -> None:
    store = BreakingStore(name, after=after, breaks=2)
    answers = [send(store, path, DOORS[path][1], key) for _ in range(4)]
    assert answers[-1].status == 202
    assert {one.status for one in answers} <= {202, 503}
    assert all(one.problem == "/problems/store-unavailable" for one in answers if one.status == 503)
    assert store.held() == clean(path)
    told = answers[-1].json
    assert told["accepted"] + told["duplicates"] == 6
    assert told["rejected"] == []


@pytest.mark.parametrize("path", DOORS)
@given(st.data())
def test_any_order_any_batching_any_repetition_and_any_break_end_in_the_same_candles(
    path: str, data: st.DataObject
) -> None:
    items = DOORS[path][1]
    # Each at most once a request: two ticks alike in one request are two ticks, docs/decisions/0010.
    repeated = data.draw(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), max_size=5))
    batches = [[items[place] for place in places] for places in repeated]
    order = data.draw(st.permutations(items))
    cuts = sorted(data.draw(st.sets(st.integers(1, 5))))
    pieces = [order[start:end] for start, end in zip([0, *cuts], [*cuts, 6], strict=True)]
    store = BreakingStore(
        data.draw(st.sampled_from(WRITES[:4])), after=data.draw(st.booleans()), breaks=data.draw(st.integers(0, 3))
    )
    for batch in data.draw(st.permutations([*batches, *pieces])):
        while send(store, path, batch).status == 503:
            pass
    # But for the rank: what proves a minute may come in a request that reads no further than two minutes away.
    assert [one[:-1] for one in store.held()] == [one[:-1] for one in clean(path)]


@pytest.mark.parametrize("path", DOORS)
def test_each_of_a_request_is_accepted_a_duplicate_or_rejected_with_a_reason(path: str) -> None:
    store, items = BreakingStore(), DOORS[path][1]
    assert send(store, path, items[:4]).json == {"accepted": 4, "duplicates": 0, "rejected": []}
    answer = send(store, path, [items[0], {**items[1], "price": "-1"}, *items[4:]])
    assert (answer.json["accepted"], answer.json["duplicates"]) == (2, 1)
    (rejected,) = answer.json["rejected"]
    assert (rejected["index"], rejected["field"], bool(rejected["reason"])) == (1, "price", True)
