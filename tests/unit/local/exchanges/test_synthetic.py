"""The synthetic exchange's server: what it tells is the tape, and nothing else."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from marketdata.errors import SettingsInvalid
from marketdata.model.span import Span

from local.exchanges.faults import Faults
from local.exchanges.synthetic import ROWS_A_FRAME, QuotesSession, TradesSession, spread
from local.exchanges.synthetic_products import synthetic_order, synthetic_products
from local.exchanges.tape import Tape

NOW = datetime(2026, 8, 9, 21, 5, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=20)
SYMBOLS = ("BTC-USD", "FOO-BAR")


def tape(seed: int = 1, rate: float = 100) -> Tape:
    return Tape(seed, synthetic_products(SYMBOLS, rate))


def frames(market: Tape, session: type[TradesSession] = TradesSession, step: float = 20) -> list[dict[str, Any]]:
    """What a client is told in twenty seconds, looked at every `step` seconds."""
    client = session(market, Faults(), 1, NOW)
    said = client.receive(json.dumps({"op": "subscribe", "symbols": list(SYMBOLS)}), NOW)
    time = NOW
    while time < LATER:
        time += timedelta(seconds=step)
        said += client.tick(time)
    return [json.loads(frame) for frame in said]


def rows(said: list[dict[str, Any]], kind: str = "trades") -> list[list[Any]]:
    return sorted(row for frame in said if frame["type"] == kind for row in frame[kind])


@pytest.mark.slow
def test_the_same_seed_is_the_same_stream_and_another_is_another() -> None:
    assert rows(frames(tape())) == rows(frames(tape()))
    assert rows(frames(tape())) == rows(frames(tape(), step=0.25))
    assert rows(frames(tape())) != rows(frames(tape(seed=2)))


@pytest.mark.slow
def test_it_tells_every_trade_of_the_tape_many_in_a_frame() -> None:
    market = tape(rate=2_000)
    said = frames(market, step=2)
    told = [row for symbol in SYMBOLS for row in market.trades(symbol, Span(NOW, LATER))]
    assert len(rows(said)) == len(told) > 20_000
    most = max(len(frame["trades"]) for frame in said if frame["type"] == "trades")
    assert most == ROWS_A_FRAME


def test_quotes_are_a_step_around_the_last_trade_of_each_moment() -> None:
    market = tape()
    step = spread(market.products["BTC-USD"])
    newest = {one.time_ns: one.price for one in market.trades("BTC-USD", Span(NOW, LATER))}
    told = [row for row in rows(frames(market, QuotesSession), "quotes") if row[0] == "BTC-USD"]
    assert told == [["BTC-USD", time, f"{price - step:f}", f"{price + step:f}"] for time, price in newest.items()]


@pytest.mark.parametrize(
    "request_text",
    ["", "[]", "{}", '{"op":"shout"}', '{"op":"subscribe"}', '{"op":"subscribe","symbols":[1]}'],
)
def test_a_request_that_cannot_be_is_refused_and_changes_nothing(request_text: str) -> None:
    client = TradesSession(tape(), Faults(), 1, NOW)
    (said,) = client.receive(request_text, NOW)
    assert (json.loads(said)["type"], client.subscribed) == ("refused", False)


def test_one_symbol_that_is_not_listed_refuses_the_whole_request() -> None:
    client = TradesSession(tape(), Faults(), 1, NOW)
    (said,) = client.receive('{"op":"subscribe","symbols":["BTC-USD","NOSUCH-PAIR"]}', NOW)
    assert "NOSUCH-PAIR" in json.loads(said)["reason"]
    assert client.tick(LATER)[0].startswith('{"type":"heartbeat"')


def test_symbols_rate_and_seed_are_settings() -> None:
    shipped = synthetic_order({}, 5)
    assert (len(shipped.symbols), shipped.rate, shipped.seed) == (3, 10.0, 5)
    own = {"SYNTHETIC_SYMBOLS": "FOO-BAR, BTCUSDT", "SYNTHETIC_RATE": "500", "SYNTHETIC_SEED": "7"}
    order = synthetic_order(own, 5)
    assert (order.symbols, order.rate, order.seed) == (("FOO-BAR", "BTCUSDT"), 500.0, 7)
    for wrong in ({"SYNTHETIC_RATE": "fast"}, {"SYNTHETIC_SEED": "1.5"}, {"SYNTHETIC_SYMBOLS": "?"}):
        with pytest.raises(SettingsInvalid, match="SYNTHETIC"):
            synthetic_order(wrong, 1)
