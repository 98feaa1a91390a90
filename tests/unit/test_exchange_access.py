"""Exchanges are reached where the settings say, and not at all where they must not be."""

import pytest
from marketdata.errors import RequestInvalid
from marketdata.exchange_access import ids_contiguous, live_connect, live_feed, pasts
from marketdata.exchanges import coinbase, coinbase_advanced
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.net.connection import connect_websocket
from marketdata.store.memory import MemoryStore

from tests.unit.test_settings import of


def test_the_feed_goes_where_the_settings_say_and_to_the_public_address_otherwise() -> None:
    assert live_feed(of(), "coinbase").url() == coinbase.EXCHANGE_URL
    assert live_feed(of(COINBASE_FEED="advanced"), "coinbase").url() == coinbase_advanced.ADVANCED_URL
    assert live_feed(of(COINBASE_WEBSOCKET_URL="ws://127.0.0.1:1/x"), "coinbase").url() == "ws://127.0.0.1:1/x"


def test_a_simulated_exchange_is_never_looked_for_at_the_real_ones_address() -> None:
    with pytest.raises(RequestInvalid, match="simulator"):
        live_feed(of(), "coinbase-simulated")
    assert live_feed(of(COINBASE_WEBSOCKET_URL="ws://127.0.0.1:1/x"), "coinbase-simulated").name == "coinbase-simulated"


def test_the_simulator_keeps_its_exchanges_promise_of_contiguous_ids() -> None:
    assert ids_contiguous("coinbase")
    assert ids_contiguous("coinbase-simulated")
    assert not ids_contiguous("kraken")


def test_oanda_is_asked_with_its_token_and_not_at_all_without() -> None:
    with pytest.raises(RequestInvalid, match="OANDA_TOKEN and OANDA_ACCOUNT"):
        live_feed(of(), "oanda")
    assert pasts(of(), MemoryStore)("oanda") is None
    known = of(OANDA_API_KEY="a-secret", OANDA_ACCOUNT_ID="101-1", OANDA_STREAM_URL="http://127.0.0.1:1")
    feed = live_feed(known, "oanda")
    assert feed.url() == "http://127.0.0.1:1"
    assert live_connect(known, feed) is not connect_websocket
    assert live_connect(known, live_feed(known, "coinbase")) is connect_websocket
    assert pasts(known, MemoryStore)("oanda") is not None
    assert "a-secret" not in repr(known)


@pytest.mark.parametrize(
    ("exchange", "settings", "has_archive"),
    [
        ("binance", {}, True),
        ("binance-simulated", {"BINANCE_REST_URL": "http://127.0.0.1:1"}, False),
        (
            "binance-simulated",
            {"BINANCE_REST_URL": "http://127.0.0.1:1", "BINANCE_ARCHIVE_URL": "http://127.0.0.1:1"},
            True,
        ),
        ("coinbase", {}, False),
    ],
)
def test_an_archive_is_asked_where_there_is_one_and_never_the_real_one_for_a_simulator(
    exchange: str, settings: dict[str, str], has_archive: bool
) -> None:
    opened = pasts(of(**settings), MemoryStore)(exchange)
    assert opened is not None
    with opened as past:
        assert (past.archive is not None) is has_archive
        assert past.archive is None or isinstance(past.archive.archive, BinanceArchive)


def test_who_is_not_followed_or_has_no_address_of_its_own_is_not_asked() -> None:
    assert pasts(of(FEED_EXCHANGES="coinbase"), MemoryStore)("binance") is None
    assert pasts(of(), MemoryStore)("binance-simulated") is None
    assert pasts(of(), MemoryStore)("mtgox") is None
