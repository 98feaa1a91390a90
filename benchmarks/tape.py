"""Invented trades as Coinbase's two feeds would send them; the same seed gives the same bytes.

As in the exchange's own recordings, products' shares fall off with their rank, and an order that meets several others
makes several trades of one time (20 to 57 % of trades had the time of the one before; here FILLS_SHARE). Times never go
back, ids of a product count up by one: a good day. What a bad day costs is a matter of tests, not of speed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from uuid import UUID

from marketdata.model.times import NANOSECONDS_A_SECOND, nanoseconds, utc

START = datetime(2026, 8, 9, 21, 0, tzinfo=UTC)
MINUTES = 60
SIZE_DECIMALS = 8
FILLS_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """One trade as text, as it is on the wire; `maker_side` is the side that both feeds send."""

    symbol: str
    id: int
    time_ns: int
    price: str
    size: str
    maker_side: str


@dataclass(frozen=True, slots=True)
class Tape:
    """The same trades three times: as values, as `match` frames, and as `market_trades` frames of one trade each."""

    symbols: tuple[str, ...]
    trades: tuple[TapeTrade, ...]
    matches: tuple[bytes, ...]
    market_trades: tuple[bytes, ...]

    @property
    def frame_bytes_mean(self) -> float:
        """The mean length of a `match` frame."""
        return sum(map(len, self.matches)) / len(self.matches)


def invent_tape(*, products: int, messages: int, seed: int = 2) -> Tape:
    """`messages` trades of `products` products, spread over an hour."""
    source = random.Random(seed)
    symbols = tuple(_symbol(number) for number in range(products))
    trades = tuple(_invent_trades(source, symbols, messages))
    matches = tuple(_match(source, trade, number).encode() for number, trade in enumerate(trades))
    market_trades = tuple(_market_trades(trade, number).encode() for number, trade in enumerate(trades))
    return Tape(symbols, trades, matches, market_trades)


def _symbol(number: int) -> str:
    """AAA-USD, AAB-USD, …"""
    letters = (chr(65 + number // 26**place % 26) for place in (2, 1, 0))
    return "".join(letters) + "-USD"


def _invent_trades(source: random.Random, symbols: tuple[str, ...], messages: int) -> Iterator[TapeTrade]:
    shares = list(accumulate(1 / rank for rank in range(1, len(symbols) + 1)))
    decimals = {symbol: source.randint(2, 6) for symbol in symbols}
    # In units of the last decimal: 5 to 7 digits, as most products have.
    units = {symbol: source.randint(20_000, 6_500_000) for symbol in symbols}
    ids = {symbol: source.randint(10**6, 10**9) for symbol in symbols}
    start_ns = nanoseconds(START)
    step_ns = MINUTES * 60 * NANOSECONDS_A_SECOND // messages
    symbol, side, time_ns = symbols[0], "buy", start_ns
    for number in range(messages):
        if number == 0 or source.random() >= FILLS_SHARE:
            symbol, side = source.choices(symbols, cum_weights=shares)[0], source.choice(("buy", "sell"))
            units[symbol] = max(1_000, units[symbol] + source.randint(-20, 20))
            # To the microsecond, as Coinbase sends it.
            time_ns = start_ns + (number * step_ns + source.randrange(step_ns)) // 1_000 * 1_000
        ids[symbol] += 1
        price = Decimal(units[symbol]).scaleb(-decimals[symbol])
        size = Decimal(source.randint(1_000, 10 ** source.randint(5, 10))).scaleb(-SIZE_DECIMALS)
        yield TapeTrade(symbol, ids[symbol], time_ns, f"{price:f}", f"{size:f}", side)


def _match(source: random.Random, trade: TapeTrade, number: int) -> str:
    """The keys in the order of the Exchange feed's own frames."""
    maker, taker = UUID(int=source.getrandbits(128)), UUID(int=source.getrandbits(128))
    return (
        f'{{"type":"match","trade_id":{trade.id},"maker_order_id":"{maker}","taker_order_id":"{taker}",'
        f'"side":"{trade.maker_side}","size":"{trade.size}","price":"{trade.price}","product_id":"{trade.symbol}",'
        f'"sequence":{24_401_219_000 + number},"time":"{_wire_time(trade.time_ns)}"}}'
    )


def _market_trades(trade: TapeTrade, number: int) -> str:
    """The keys in the order of the Advanced Trade feed's own frames."""
    time = _wire_time(trade.time_ns)
    return (
        f'{{"channel":"market_trades","timestamp":"{time}","sequence_num":{number},"events":[{{"type":"update",'
        f'"trades":[{{"product_id":"{trade.symbol}","trade_id":"{trade.id}","price":"{trade.price}",'
        f'"size":"{trade.size}","time":"{time}","side":"{trade.maker_side.upper()}"}}]}}]}}'
    )


def _wire_time(time_ns: int) -> str:
    return f"{utc(time_ns):%Y-%m-%dT%H:%M:%S.%f}Z"
