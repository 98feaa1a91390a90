"""The Supabase store against a scripted server: what it sends, and what it makes of the answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.errors import NotFound, StoreError
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.supabase import SupabaseStore

from tests.unit.store.scripted_server import ScriptedServer, Step, answer, hang

KEY = "sb_secret_that-nobody-may-see"
NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)
BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
BTC_ROW = {
    "id": 7,
    "exchange": "coinbase",
    "symbol": "BTC-USD",
    "base": "BTC",
    "quote": "USD",
    "timeframes": [1, 5],
    "active": True,
    "simulated": False,
    "calendar": "always",
}
KNOWN = answer(200, [BTC_ROW], content_range="0-0/1")
WRITTEN = answer(201)
COLUMNS: dict[str, list[object]] = {
    "open_time": [],
    "open": [],
    "high": [],
    "low": [],
    "close": [],
    "volume": [],
    "quote_volume": [],
    "taker_buy_volume": [],
    "trades": [],
    "first_id": [],
    "last_id": [],
    "source": [],
    "observed_at": [],
    "revision": [],
}


def candle(minute: int = 0) -> Candle:
    """The 1m candle so many minutes after noon."""
    at = Decimal(1)
    opened = NOON + timedelta(minutes=minute)
    return Candle("coinbase", "BTC-USD", M1, opened, at, at, at, at, at, None, None, None, None, None, Source.LIVE)


class Naps:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def ask(
    store_does: Callable[[SupabaseStore], object], *script: Step, naps: Naps | None = None, timeout_seconds: float = 5
) -> tuple[ScriptedServer, object]:
    """Let a store do something against the script; what came of it, an answer or its StoreError."""
    with ScriptedServer(*script) as server:
        store = SupabaseStore(server.url, KEY, sleep=naps or Naps(), timeout_seconds=timeout_seconds)
        try:
            outcome = store_does(store)
        except StoreError as error:
            outcome = error
        finally:
            store.close()
    return server, outcome


def put_candle(store: SupabaseStore) -> None:
    store.put_candles([candle()])


def read_candles(store: SupabaseStore) -> list[Candle]:
    return store.candles(BTC, M1, start=None, end=None, limit=10)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Welcome to the airport</html>",
        b"",
        b"null",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"open_time": "soon"}',
    ],
)
def test_garbage_is_never_an_answer(body: bytes) -> None:
    _, outcome = ask(read_candles, KNOWN, answer(200, body))
    assert isinstance(outcome, StoreError)
    assert outcome.operation == "candles"
    assert outcome.__cause__ is not None


def test_columns_of_unequal_length_are_never_an_answer() -> None:
    _, outcome = ask(read_candles, KNOWN, answer(200, COLUMNS | {"open_time": [0]}))
    assert isinstance(outcome, StoreError)


def test_an_answer_without_rows_is_an_answer() -> None:
    _, outcome = ask(read_candles, KNOWN, answer(200, COLUMNS))
    assert outcome == []


def test_a_schema_without_a_version_is_not_there() -> None:
    _, outcome = ask(lambda store: store.ping(), answer(200, None))
    assert isinstance(outcome, StoreError)
    assert "migrations" in outcome.reason


def test_a_drain_that_another_holds_is_none() -> None:
    assert ask(lambda store: store.roll_up(limit=5), answer(200, -1))[1] is None
    assert ask(lambda store: store.roll_up(limit=5), answer(200, 3))[1] == 3


def test_room_is_made_for_the_months_that_have_none_and_the_batch_is_written_again() -> None:
    no_partition = answer(400, {"code": "23514", "message": 'no partition of relation "candles_1m" found for row'})
    old = replace(candle(), open_time=datetime(2019, 1, 31, 23, 59, tzinfo=UTC))
    server, outcome = ask(
        lambda store: store.put_candles([candle(), candle(1), old]),
        KNOWN,
        no_partition,
        answer(200, 2),
        answer(200, 0),
        answer(200, 0),
        WRITTEN,
    )
    assert outcome is None
    spans = [one.body for one in server.asked if one.path == "/rest/v1/rpc/ensure_partitions_v1"]
    january = {"p_from": "2019-01-31T23:59:00Z", "p_to": "2019-01-31T23:59:00.000001Z"}
    august = {"p_from": "2026-08-09T12:00:00Z", "p_to": "2026-08-09T12:01:00.000001Z"}
    assert spans == [january, january, august]
    assert server.asked[1].body == server.asked[-1].body


def test_a_row_that_finds_no_partition_twice_is_an_error() -> None:
    refused = answer(400, {"code": "23514", "message": "violates check constraint"})
    server, outcome = ask(put_candle, KNOWN, refused, answer(200, 0), refused, WRITTEN)
    assert isinstance(outcome, StoreError)
    assert "violates check constraint" in outcome.reason
    assert len(server.asked) == 4


@pytest.mark.slow
def test_making_room_without_end_is_given_up() -> None:
    span = Span(NOON, NOON + timedelta(days=1))
    server, outcome = ask(lambda store: store.ensure_partitions(span), *[answer(200, 400)] * 100)
    assert isinstance(outcome, StoreError)
    assert len(server.asked) < 100


def test_the_numbers_of_instruments_are_asked_for_once() -> None:
    def write_twice(store: SupabaseStore) -> None:
        put_candle(store)
        put_candle(store)

    server, outcome = ask(write_twice, KNOWN, WRITTEN, WRITTEN)
    assert outcome is None
    assert [one.path for one in server.asked].count("/rest/v1/instruments") == 1


def test_an_instrument_added_meanwhile_is_found() -> None:
    def write_then_another(store: SupabaseStore) -> None:
        put_candle(store)
        store.put_candles([replace(candle(), symbol="ETH-USD")])

    rows = [BTC_ROW, BTC_ROW | {"id": 9, "symbol": "ETH-USD"}]
    server, outcome = ask(write_then_another, KNOWN, WRITTEN, answer(200, rows, content_range="0-1/2"), WRITTEN)
    assert outcome is None
    assert server.asked[-1].body[0]["instrument_id"] == 9


def test_an_unknown_instrument_is_looked_for_and_nothing_is_sent() -> None:
    with ScriptedServer(KNOWN) as server:
        store = SupabaseStore(server.url, KEY, sleep=Naps())
        with pytest.raises(NotFound):
            store.put_candles([candle(), replace(candle(), symbol="NO-SUCH")])
        store.close()
    assert [one.method for one in server.asked] == ["GET"]


def test_a_batch_is_sorted_merged_and_cut_to_a_thousand_rows() -> None:
    minutes = [candle(number) for number in range(1_001)]
    server, outcome = ask(lambda store: store.put_candles([*minutes[::-1], *minutes]), KNOWN, WRITTEN, WRITTEN)
    assert outcome is None
    batches = [one.body for one in server.asked[1:]]
    assert [len(batch) for batch in batches] == [1_000, 1]
    times = [row["open_time"] for batch in batches for row in batch]
    assert len(set(times)) == 1_001
    assert times == sorted(times)


def test_numbers_travel_as_text_and_a_report_says_that_it_is_no_rollup() -> None:
    exact = replace(candle(), volume=Decimal("123456789012345678901234567890.1"), first_id=2**53 + 1)
    server, _ = ask(lambda store: store.put_candles([exact]), KNOWN, WRITTEN)
    [row] = server.asked[1].body
    assert (row["volume"], row["first_id"], row["derived"]) == ("123456789012345678901234567890.1", 2**53 + 1, False)
    assert "revision" not in row
    assert server.asked[1].headers["prefer"] == "return=minimal,resolution=merge-duplicates"


def test_the_first_of_two_equal_trades_is_sent_and_the_database_keeps_its_own() -> None:
    first = Trade("BTC-USD", 1, nanoseconds(NOON), Decimal(1), Decimal(2), Side.SELL)
    again = Trade("BTC-USD", 1, nanoseconds(NOON), Decimal(9), Decimal(2), Side.BUY)
    server, _ = ask(lambda store: store.put_trades("coinbase", [first, again]), KNOWN, WRITTEN)
    assert [(row["price"], row["taker_buy"]) for row in server.asked[1].body] == [("1", False)]
    assert server.asked[1].headers["prefer"] == "return=minimal,resolution=ignore-duplicates"


def test_a_turn_is_asked_for_once_and_not_waited_for() -> None:
    def take(store: SupabaseStore) -> object:
        return store.take_requests("coinbase", per_second=1, burst=1)

    server, outcome = ask(take, answer(503), answer(503))
    assert (isinstance(outcome, StoreError), len(server.asked)) == (True, 1)
    server, outcome = ask(take, hang, hang, timeout_seconds=0.2)
    assert (isinstance(outcome, StoreError), len(server.asked)) == (True, 1)
