"""What is followed, compared with what the exchange lists."""

from dataclasses import replace

import pytest
from marketdata.errors import RemoteUnavailable
from marketdata.exchanges.listings import Listing
from marketdata.jobs.sync_instruments import compare_listings, sync_instruments
from marketdata.model.instrument import Instrument
from marketdata.store.memory import MemoryStore

from tests.market import at

BTC = Instrument("binance", "BTCUSDT", "BTC", "USDT")
MATIC = Instrument("binance", "MATICUSDT", "MATIC", "USDT")
DELISTED = Instrument("binance", "GFTUSDT", "GFT", "USDT")
GONE = Instrument("binance", "XYZUSDT", "XYZ", "USDT")
ELSEWHERE = Instrument("coinbase", "GFTUSDT", "GFT", "USDT")
LISTINGS = [
    Listing("BTCUSDT", "BTC", "USDT", True),
    Listing("MATICUSDT", "MATIC", "USDT", False),
    Listing("POLUSDT", "POL", "USDT", True),
    Listing("OLDUSDT", "OLD", "USDT", False),
]


def test_what_is_no_longer_traded_is_no_longer_followed_and_says_why() -> None:
    difference = compare_listings([BTC, MATIC, DELISTED, GONE, ELSEWHERE], "binance", LISTINGS, at("10:00"))
    assert difference.ended == (
        (replace(MATIC, active=False), "ended 2024-09-10, goes on as POL-USDT"),
        (replace(DELISTED, active=False), "ended 2024-12-10"),
        (replace(GONE, active=False), "no longer listed, seen 2026-08-09"),
    )
    assert difference.listed == 4


def test_a_halt_that_nobody_announced_says_when_it_was_seen() -> None:
    halted = [Listing("BTCUSDT", "BTC", "USDT", False), Listing("ETHUSDT", "ETH", "USDT", True)]
    ((instrument, why),) = compare_listings([BTC], "binance", halted, at("10:00")).ended
    assert (instrument.active, why) == (False, "trading is halted, seen 2026-08-09")


def test_where_nothing_trades_nothing_has_ended() -> None:
    """Under maintenance an exchange halts every market, and all of them go on afterwards."""
    with pytest.raises(RemoteUnavailable, match="nothing trades"):
        compare_listings([BTC], "binance", [replace(one, trading=False) for one in LISTINGS], at("10:00"))


def test_what_is_listed_and_unknown_is_named_and_not_added() -> None:
    difference = compare_listings([BTC], "binance", LISTINGS, at("10:00"))
    assert difference.unfollowed == (LISTINGS[2],)
    assert difference.changes == []


def test_wrong_currencies_are_corrected() -> None:
    wrong = replace(BTC, base="BTCU", quote="SDT")
    assert compare_listings([wrong], "binance", LISTINGS, at("10:00")).corrected == (BTC,)


def test_what_was_stopped_by_hand_stays_stopped() -> None:
    stopped = replace(BTC, active=False)
    assert compare_listings([stopped], "binance", LISTINGS, at("10:00")).changes == []


def test_a_sync_writes_the_changes_and_nothing_else() -> None:
    store = MemoryStore()
    store.put_instruments([BTC, MATIC, ELSEWHERE])
    sync_instruments(store, compare_listings(store.instruments(), "binance", LISTINGS, at("10:00")))
    assert [(one.key, one.active) for one in store.instruments()] == [
        (BTC.key, True),
        (MATIC.key, False),
        (ELSEWHERE.key, True),
    ]
