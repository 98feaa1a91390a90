"""Whatever an exchange says, an adapter raises its one declared error and nothing else, and reads no impossible trade.

Frames and answers of the server that speaks its protocol, with values replaced, removed or added, bytes flipped or cut.
"""

import asyncio
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import FrameDecoder
from marketdata.exchanges.registry import ADAPTERS, live_trades
from marketdata.model.events import Claim, Event, Malformed
from marketdata.model.quote import Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade

from tests.contract.adapter_wires import FEEDS, NOW, WIRES, rig

SEED = 20_261_121
FRAMES = int(os.environ.get("FUZZ_FRAMES", "20000"))
FRAMES_A_CONNECTION = 2_000
ANSWERS = 5_000
ODD: list[object] = [None, True, -1, 0, 1e308, 2**70, "", "NaN", "9" * 400, "\u0000", [], {}, [[]], {"a": {}}, "1e-400"]


def mutated(originals: Sequence[str | bytes], dice: random.Random) -> Iterator[bytes]:
    """Good texts, damaged."""
    whole = [json.loads(one) for one in originals]
    while True:
        frame = bytearray(json.dumps(damaged(dice.choice(whole), dice)).encode())
        for _ in range(dice.choice((0, 0, 1, 3))):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        if dice.random() < 0.1:
            del frame[dice.randrange(len(frame)) :]
        yield bytes(frame)


def damaged(document: Any, dice: random.Random) -> Any:
    """A copy in which up to two values, anywhere inside, are something else."""
    document = json.loads(json.dumps(document))
    for _ in range(dice.randrange(3)):
        target = document
        while inner := [one for one in parts(target) if isinstance(one, dict | list) and one]:
            if dice.random() < 0.3:
                break
            target = dice.choice(inner)
        replace_one(target, dice)
    return document


def parts(document: Any) -> list[Any]:
    """What is directly inside."""
    if isinstance(document, dict):
        return list(document.values())
    return document if isinstance(document, list) else []


def replace_one(target: Any, dice: random.Random) -> None:
    """Change, add or remove one part."""
    if isinstance(target, dict):
        target[dice.choice([*target, "extra"])] = deepcopy(dice.choice(ODD))
    elif isinstance(target, list):
        place = dice.randrange(len(target) + 1)
        target[place : place + dice.randrange(2)] = [deepcopy(dice.choice(ODD))] * dice.randrange(2)


def withstand(read: Callable[[bytes], object], texts: Iterator[bytes], count: int) -> tuple[int, int]:
    """How many were good and how many malformed; anything else fails with the seed and the text."""
    good = malformed = 0
    for number in range(count):
        text = next(texts)
        try:
            read(text)
        except RemoteMalformed:
            malformed += 1
        except BaseException:
            print(f"seed {SEED}, number {number}: {text!r}")
            raise
        else:
            good += 1
    return good, malformed


@pytest.mark.slow
@pytest.mark.parametrize(("exchange", "feed"), FEEDS)
async def test_decode_raises_nothing_but_its_one_declared_error(exchange: str, feed: str) -> None:
    async with rig(exchange) as market, market.following(feed, *list(market.symbols)[:2]) as stream:
        market.faults.add_unknowns()
        await market.until(lambda: stream.status.subscribed and len(market.frames) > 150)
    adapter, texts = live_trades(exchange, feed), mutated(market.frames, random.Random(SEED))
    good = malformed = 0
    for _ in range(FRAMES // FRAMES_A_CONNECTION):
        # What one bad frame makes of a connection must not keep the next ones from being understood.
        session = adapter.session()
        for frame in market.frames:
            assert not [one for one in session.decode(frame, None) if isinstance(one, Malformed)]
        read, bad = withstand(partial(read_frame, session), texts, FRAMES_A_CONNECTION)
        good, malformed = good + read, malformed + bad
    assert min(good, malformed) > FRAMES // 20


def read_frame(session: FrameDecoder, frame: bytes) -> None:
    assert all(map(is_possible, session.decode(frame, None))), frame


def is_possible(event: Event) -> bool:
    if isinstance(event, Trade):
        return event.price.is_finite() and event.price > 0 < event.size and event.count > 0
    if isinstance(event, Quote):
        return event.bid.is_finite() and event.ask.is_finite() and min(event.bid, event.ask) > 0
    if isinstance(event, Claim):
        return 0 <= event.first_id <= event.last_id and 0 < event.low <= event.high
    return True


@pytest.mark.slow
@pytest.mark.parametrize("exchange", [name for name, adapter in ADAPTERS.items() if adapter.candle_history])
async def test_answers_with_candles_are_read_or_malformed(exchange: str) -> None:
    make = ADAPTERS[exchange].candle_history
    assert make is not None
    adapter = make(exchange)
    async with rig(exchange) as market:
        symbol = WIRES[exchange].symbol_of(market.tape.products["BTC-USD"])
        span = Span(NOW - timedelta(minutes=6), NOW)
        bodies = [await asyncio.to_thread(market.get, one) for one in adapter.candle_requests(symbol, M1, span)]

    def read(body: bytes) -> None:
        assert all(one.low <= one.open <= one.high for one in adapter.parse_candles(body, symbol, M1, NOW))

    good, malformed = withstand(read, mutated(bodies, random.Random(SEED)), ANSWERS)
    assert min(good, malformed) > ANSWERS // 20
