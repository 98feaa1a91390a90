"""The table of adapters."""

import pytest
from marketdata.errors import RequestInvalid
from marketdata.exchanges.registry import require_market


@pytest.mark.parametrize("exchange", ["coingecko", "coingecko-simulated"])
def test_an_index_is_no_market_and_says_which_setting_names_its_coins(exchange: str) -> None:
    with pytest.raises(RequestInvalid, match="COINGECKO_IDS"):
        require_market(exchange)


def test_a_market_is_one_and_so_is_its_simulator() -> None:
    require_market("coinbase")
    require_market("binance-simulated")
    with pytest.raises(RequestInvalid, match="mtgox"):
        require_market("mtgox")
