"""Instruments, candles, trades and whole histories for the contract of stores; the seed decides every choice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, timeframe_named
from marketdata.model.times import EPOCH, nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.store import Store

MINUTE = timedelta(minutes=1)
# A Monday, and the last day of a month: its week ends in the next one.
MONDAY = datetime(2026, 8, 31, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)
M5, M15, H1 = (timeframe_named(name) for name in ("5m", "15m", "1h"))
BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
ETH = Instrument("coinbase", "ETH-USD", "ETH", "USD")
UNKNOWN = Instrument("coinbase", "NO-SUCH", "NO", "SUCH")


def candle(number: int, price: str = "1", *, instrument: Instrument = BTC, **changes: object) -> Candle:
    """The 1m candle `number` minutes after Monday midnight, all of it at `price`, changed as the test needs."""
    at, ids = Decimal(price), (10 * number, 10 * number + 9)
    plain = Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=M1,
        open_time=MONDAY + number * MINUTE,
        open=at,
        high=at,
        low=at,
        close=at,
        volume=Decimal("2.5"),
        quote_volume=Decimal("2.5") * at,
        trades=3,
        taker_buy_volume=Decimal("0.5"),
        first_id=ids[0],
        last_id=ids[1],
        source=Source.PROVEN,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def trade(id_: int, microseconds: int, **changes: object) -> Trade:
    """A trade so many microseconds after Monday midnight."""
    plain = {"price": Decimal("100.10"), "size": Decimal("0.5"), "side": Side.BUY, "count": 1} | changes
    return Trade("BTC-USD", id_, nanoseconds(MONDAY) + microseconds * 1_000, **plain)  # type: ignore[arg-type]


def span(start: int, end: int) -> Span:
    """Minutes after Monday midnight."""
    return Span(MONDAY + start * MINUTE, MONDAY + end * MINUTE)


def drain(store: Store) -> None:
    """Roll up until nothing is left to do."""
    while store.roll_up():
        pass


def a_history(random: Random) -> tuple[list[Candle], list[Span]]:
    """Minutes of several hours of two months, with holes, part of which are confirmed silence."""
    minutes, empty = [], []
    for number in [*range(-40, 150), *range(24 * 60 - 30, 24 * 60 + 90)]:
        if random.random() < 0.85:
            source = random.choices(list(Source), [1, 10, 10, 10, 2])[0]
            one = candle(number, random.choice("1234"), source=source)
            minutes.append(one if random.random() < 0.99 else replace(one, quote_volume=None))
        elif random.random() < 0.7:
            empty.append(span(number, number + 1))
    return minutes, empty


def a_report(random: Random, number: int) -> Candle:
    """What some writer might say of a minute; few values, so that ties are as frequent as differences."""
    opened, closed, *others = (Decimal(random.choice(["0.5", "1", "1.00", "2"])) for _ in range(4))
    known = random.random() < 0.8
    return candle(
        number,
        open=opened,
        close=closed,
        high=max(opened, closed, *others),
        low=min(opened, closed, *others),
        volume=Decimal(random.choice("123")),
        quote_volume=random.choice([None, Decimal(1), Decimal(2)]),
        taker_buy_volume=random.choice([None, Decimal(0), Decimal(1)]),
        trades=random.choice([None, 1, 2]),
        first_id=random.randint(1, 3) if known else None,
        last_id=random.randint(3, 5) if known else None,
        source=random.choice(list(Source)),
        observed_at=random.choice([EPOCH, NOON, NOON + MINUTE]),
    )


def a_quarrel(random: Random) -> list[Candle]:
    """Many reports of eight minutes."""
    return [a_report(random, number) for number in range(8) for _ in range(12)]


def shuffled_batches(random: Random, reports: Sequence[Candle]) -> list[list[Candle]]:
    """The reports in another order, some of them twice, cut anywhere."""
    order = [*reports, *random.sample(list(reports), len(reports) // 4)]
    random.shuffle(order)
    cuts = sorted({0, len(order), *(random.randrange(len(order)) for _ in range(6))})
    return [order[start:end] for start, end in pairwise(cuts)]


def live_through(store: Store, random: Random) -> None:
    """Reports of several timeframes, silence, drains and changes of mind, from one seed."""
    store.put_instruments([BTC])
    for _ in range(25):
        number = random.choice([-20, 0, 30, 24 * 60 - 10])
        match random.randrange(6):
            case 0 | 1 | 2:
                minutes = [number + random.randrange(30) for _ in range(20)]
                store.put_candles([a_report(random, minute) for minute in dict.fromkeys(minutes)])
            case 3:
                timeframe = random.choice(TIMEFRAMES[1:5])
                opened = timeframe.floor(MONDAY + number * MINUTE)
                store.put_candles([replace(a_report(random, 0), timeframe=timeframe, open_time=opened)])
            case 4:
                length = random.choice([1, 7, 40, 2_000])
                store.mark_empty(BTC, random.choice([M1, M5]), [span(number, number + length)])
            case 5:
                drain(store)
                kept = tuple(timeframe for timeframe in TIMEFRAMES if timeframe == M1 or random.random() < 0.7)
                store.put_instruments([replace(BTC, timeframes=kept)])
    drain(store)
