import itertools
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from marketdata.model.trade import Side, Trade

from local.exchanges.minute import MINUTE_NS, Sketch, draw, sketch
from local.exchanges.products import PRODUCTS, Product

START_NS = 1_800_000_000_000_000_000 // MINUTE_NS * MINUTE_NS
PRODUCT = st.sampled_from(PRODUCTS)
KEY = st.integers(0, 2**64 - 1)
MINUTE = st.integers(0, 5_000_000)
COUNT = st.integers(1, 300)


def drawn(product: Product, key: int, minute: int, count: int) -> tuple[Sketch, tuple[Trade, ...]]:
    outline = sketch(product, key, minute, count)
    return outline, draw(product, key, minute, outline, first_id=1000, start_ns=START_NS)


@given(PRODUCT, KEY, MINUTE, COUNT)
def test_the_trades_of_a_minute_fit_its_sketch_exactly(product: Product, key: int, minute: int, count: int) -> None:
    outline, trades = drawn(product, key, minute, count)
    prices = [trade.price / product.quote_increment for trade in trades]
    volume = sum(trade.size for trade in trades).scaleb(8)  # type: ignore[union-attr]
    assert Sketch(len(trades), *map(int, (prices[0], max(prices), min(prices), prices[-1], volume))) == outline


@given(PRODUCT, KEY, MINUTE, COUNT)
def test_trades_lie_strictly_inside_their_minute_in_the_order_of_their_ids(
    product: Product, key: int, minute: int, count: int
) -> None:
    _, trades = drawn(product, key, minute, count)
    times = [trade.time_ns for trade in trades]
    assert [trade.id for trade in trades] == list(range(1000, 1000 + count))
    assert times == sorted(times)
    assert times[0] > START_NS
    assert times[-1] < START_NS + MINUTE_NS
    assert all(time % 1000 == 0 for time in times)


@given(PRODUCT, KEY, MINUTE, COUNT)
def test_prices_and_sizes_keep_to_their_increments(product: Product, key: int, minute: int, count: int) -> None:
    for trade in drawn(product, key, minute, count)[1]:
        assert trade.price > 0
        assert trade.size > 0
        assert trade.price % product.quote_increment == 0
        assert trade.size % Decimal("0.00000001") == 0


@given(PRODUCT, KEY, MINUTE, st.integers(2, 50))
def test_a_minute_closes_where_the_next_one_opens(product: Product, key: int, minute: int, count: int) -> None:
    assert sketch(product, key, minute, count).close == sketch(product, key, minute + 1, count).open


def test_some_trades_share_a_time_and_then_their_taker() -> None:
    _, trades = drawn(PRODUCTS[0], 7, 99, 600)
    shared = [(earlier, later) for earlier, later in itertools.pairwise(trades) if earlier.time_ns == later.time_ns]
    assert 100 < len(shared) < 250
    assert all(earlier.side is later.side for earlier, later in shared)


def test_both_sides_trade_and_a_few_large_trades_outweigh_many_small_ones() -> None:
    _, trades = drawn(PRODUCTS[0], 7, 99, 600)
    assert 200 < sum(trade.side is Side.BUY for trade in trades) < 400
    sizes = sorted(trade.size for trade in trades)
    assert sum(sizes[-60:]) > 3 * sum(sizes[:300])
