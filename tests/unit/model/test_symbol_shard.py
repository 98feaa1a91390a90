"""Symbols that several feeds share."""

import pytest
from marketdata.model.symbol_shard import SymbolShard, shard_named

SYMBOLS = [f"{base}-{quote}" for base in ("BTC", "ETH", "SOL", "DOGE", "ADA", "XRP") for quote in ("USD", "EUR", "GBP")]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_symbol_is_of_exactly_one_feed(count: int) -> None:
    shards = [SymbolShard(number, count) for number in range(1, count + 1)]
    assert all(sum(shard.has(symbol) for shard in shards) == 1 for symbol in SYMBOLS)


def test_every_process_shares_alike() -> None:
    assert [symbol for symbol in ("BTC-USD", "ETH-USD", "SOL-USD") if SymbolShard(1, 2).has(symbol)] == ["BTC-USD"]


def test_there_is_no_fourth_of_three() -> None:
    with pytest.raises(ValueError, match="no shard 4 of 3"):
        SymbolShard(4, 3)


def test_a_feed_is_told_from_those_that_share_its_symbols_by_its_name() -> None:
    assert shard_named(SymbolShard(2, 3).feed_id("host-shard-7")) == "2/3"
    assert SymbolShard().feed_id("host-7") == "host-7"
    assert shard_named("host-7") == ""
