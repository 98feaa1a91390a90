"""A market has the name of its time, and says when it ended."""

from datetime import UTC, datetime

import pytest
from marketdata.errors import NotFound
from marketdata.exchanges.registry import ADAPTERS
from marketdata.exchanges.symbol_changes import CHANGES, name_at
from marketdata.exchanges.symbols import Pair, parse_pair, spell

OLD, NEW = Pair("MATIC", "USDT"), Pair("POL", "USDT")


@pytest.mark.parametrize("asked", [OLD, NEW])
def test_a_renamed_market_has_the_name_of_its_time(asked: Pair) -> None:
    assert name_at("binance", asked, datetime(2024, 9, 10, 2, 59, tzinfo=UTC)) == OLD
    assert name_at("binance", asked, datetime(2024, 9, 13, 10, tzinfo=UTC)) == NEW
    with pytest.raises(NotFound, match="POL-USDT from 2024-09-13 10:00"):
        name_at("binance", asked, datetime(2024, 9, 12, tzinfo=UTC))


def test_a_delisted_market_says_when_it_ended() -> None:
    gone = Pair("GFT", "USDT")
    before, after = datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    assert name_at("binance", gone, before) == gone
    with pytest.raises(NotFound, match="ended on binance at 2024-12-10 03:00"):
        name_at("binance", gone, after)


def test_what_was_renamed_on_one_exchange_was_not_on_another() -> None:
    assert name_at("coinbase", OLD, datetime(2025, 1, 1, tzinfo=UTC)) == OLD


def test_each_change_is_of_an_exchange_that_we_know_and_happened_in_order() -> None:
    for change in CHANGES:
        assert change.exchange in ADAPTERS
        assert (change.new is None) is (change.began is None)
        assert change.began is None or change.ended <= change.began
    assert len({(change.exchange, change.old) for change in CHANGES}) == len(CHANGES)


def test_what_people_still_type_is_the_market_of_today() -> None:
    today = datetime(2026, 1, 1, tzinfo=UTC)
    assert spell("binance", name_at("binance", parse_pair("FTMUSDT"), today)) == "SUSDT"
