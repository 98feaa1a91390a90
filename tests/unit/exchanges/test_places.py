"""Where exchanges are: what settings know of them is what their adapters do."""

import pytest
from marketdata.errors import RequestInvalid
from marketdata.exchanges.places import PLACES, require_known
from marketdata.exchanges.registry import ADAPTERS


def test_places_and_adapters_are_of_the_same_exchanges_in_the_same_order() -> None:
    assert list(PLACES) == list(ADAPTERS)


@pytest.mark.parametrize("exchange", PLACES)
def test_what_settings_know_of_an_exchange_is_what_its_adapter_has(exchange: str) -> None:
    place, adapter = PLACES[exchange], ADAPTERS[exchange]
    assert (place.rest_url, place.feeds) == (adapter.rest_url, tuple(adapter.feeds))
    assert (place.default_feed, place.archive_url) == (adapter.default_feed, adapter.archive_url)


def test_a_simulator_is_where_its_exchange_is_and_what_is_unknown_is_told_with_what_there_is() -> None:
    assert require_known("coinbase-simulated") == require_known("coinbase") == "coinbase"
    with pytest.raises(RequestInvalid, match=r"mtgox.*coinbase, bitfinex"):
        require_known("mtgox")
