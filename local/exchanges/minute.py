"""One minute of a simulated market: first sketched, then, if anyone asks, drawn trade by trade.

The sketch (open, high, low, close, volume, count) costs microseconds, so candles of any age are cheap; the trades are
drawn to fit it exactly. Everything is in whole quote increments and base increments.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from random import Random

from marketdata.model.trade import Side, Trade

from local.exchanges.noise import mix, uniform, wander
from local.exchanges.products import SIZE_DECIMALS, Product

MINUTE_NS = 60 * 1_000_000_000
_MINUTE_MICROSECONDS = 60 * 1_000_000
# What a hash is for, so that no two draws of one minute share one.
_HIGH, _LOW, _VOLUME, _TRADES = range(1, 5)
# A market order that meets several resting ones makes several trades of one time.
_SHARED_TIME = 0.3
# Below four trades there is no room for a high and a low beside open and close.
_TRADES_WITH_WICKS = 4


@dataclass(frozen=True, slots=True)
class Sketch:
    """A minute with trades in it. Prices are in quote increments, `volume` in base increments."""

    trades: int
    open: int
    high: int
    low: int
    close: int
    volume: int


def sketch(product: Product, key: int, minute: int, trades: int) -> Sketch:
    """The outline of `minute` (counted from wherever the tape counts) with that many trades, at least one.

    It opens where the walk stands at its start and closes where the next minute opens.
    """
    opening = _walk(product, key, minute)
    closing = _walk(product, key, minute + 1) if trades > 1 else opening
    high, low = max(opening, closing), min(opening, closing)
    if trades >= _TRADES_WITH_WICKS:
        high += _wick(product, key, minute, _HIGH)
        low = max(1, low - _wick(product, key, minute, _LOW))
    spread = uniform(key, minute, _VOLUME)
    volume = max(trades, int(trades * product.size_units * (0.3 + 2.0 * spread * spread)))
    return Sketch(trades, opening, high, low, closing, volume)


def draw(
    product: Product, key: int, minute: int, outline: Sketch, *, first_id: int, start_ns: int
) -> tuple[Trade, ...]:
    """The trades of a sketched minute that begins at `start_ns`, ordered by id and by time."""
    random = Random(mix(key, minute, _TRADES))
    offsets = _offsets(random, outline.trades)
    sides = _sides(random, offsets)
    prices = _prices(random, outline, sides)
    sizes = _sizes(random, outline)
    return tuple(
        Trade(
            product.symbol,
            first_id + index,
            start_ns + offsets[index] * 1_000,
            Decimal(prices[index]).scaleb(-product.quote_decimals),
            Decimal(sizes[index]).scaleb(-SIZE_DECIMALS),
            sides[index],
        )
        for index in range(outline.trades)
    )


def _walk(product: Product, key: int, minute: int) -> int:
    return max(1, round(product.price_ticks * (1.0 + product.volatility * wander(key, minute))))


def _wick(product: Product, key: int, minute: int, which: int) -> int:
    reach = uniform(key, minute, which)
    return int(product.price_ticks * product.volatility * 0.0006 * reach * reach + reach)


def _offsets(random: Random, trades: int) -> list[int]:
    """Microseconds strictly inside the minute, never decreasing, some of them shared."""
    offsets = sorted(1 + int(random.random() * (_MINUTE_MICROSECONDS - 2)) for _ in range(trades))
    for index in range(1, trades):
        if random.random() < _SHARED_TIME:
            offsets[index] = offsets[index - 1]
    return offsets


def _sides(random: Random, offsets: list[int]) -> list[Side]:
    """The taker's sides; trades of one time are one market order's."""
    sides = [_side(random)]
    for earlier, later in pairwise(offsets):
        sides.append(sides[-1] if earlier == later else _side(random))
    return sides


def _side(random: Random) -> Side:
    return Side.BUY if random.random() < 0.5 else Side.SELL


def _prices(random: Random, outline: Sketch, sides: list[Side]) -> list[int]:
    """A noisy way from open to close that touches the high and the low; buyers pay a tick more than sellers get."""
    count = outline.trades
    step = (outline.close - outline.open) / max(1, count - 1)
    noise = (outline.high - outline.low) / 4
    prices = []
    for index, side in enumerate(sides):
        price = round(outline.open + step * index + noise * (random.random() - 0.5)) + (side is Side.BUY)
        prices.append(min(max(price, outline.low), outline.high))
    prices[0], prices[-1] = outline.open, outline.close
    if count >= _TRADES_WITH_WICKS:
        highest, lowest = random.sample(range(1, count - 1), 2)
        prices[highest], prices[lowest] = outline.high, outline.low
    return prices


def _sizes(random: Random, outline: Sketch) -> list[int]:
    """Heavy-tailed sizes, each at least one increment, that add up to the sketched volume exactly."""
    weights = [_weight(random.random()) for _ in range(outline.trades)]
    scale = (outline.volume - outline.trades) / sum(weights)
    sizes = [1 + int(weight * scale) for weight in weights]
    largest = weights.index(max(weights))
    sizes[largest] += outline.volume - sum(sizes)
    return sizes


def _weight(luck: float) -> float:
    rarity = 1.0 / (luck + 0.01)
    return rarity * math.sqrt(rarity)
