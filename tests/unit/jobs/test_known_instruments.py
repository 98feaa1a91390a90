"""Instruments, remembered for a moment."""

from datetime import timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import NotFound
from marketdata.jobs.known_instruments import AGE_MAX, KnownInstruments
from marketdata.model.instrument import Instrument
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, at

SOL = Instrument("coinbase", "SOL-USD", "SOL", "USD")
MOMENT = timedelta(seconds=1)


class CountingStore(MemoryStore):
    """A store that counts how often it is asked for its instruments."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.put_instruments([BTC, ETH])

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        self.asked += 1
        return super().instruments(active_only=active_only)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("12:00"))


@pytest.fixture
def known(store: CountingStore, clock: FakeClock) -> KnownInstruments:
    return KnownInstruments(store, clock)


def test_the_store_is_asked_once_in_a_while(known: KnownInstruments, store: CountingStore, clock: FakeClock) -> None:
    for _ in range(5):
        assert known.find("BTC-USD", None) == BTC
    clock.advance(AGE_MAX)
    known.all()
    assert store.asked == 2


def test_what_was_added_since_is_found(known: KnownInstruments, store: CountingStore, clock: FakeClock) -> None:
    known.all()
    store.put_instruments([SOL])
    clock.advance(MOMENT)
    assert known.find("sol/usd", None) == SOL


def test_asking_for_what_is_not_there_asks_the_store_once_a_second_at_most(
    known: KnownInstruments, store: CountingStore, clock: FakeClock
) -> None:
    for _ in range(5):
        with pytest.raises(NotFound):
            known.find("DOGE-USD", None)
    assert store.asked == 1
    clock.advance(MOMENT)
    with pytest.raises(NotFound):
        known.exchange("kraken")
    assert store.asked == 2


def test_an_exchange_is_spelled_as_we_spell_it(known: KnownInstruments) -> None:
    assert known.exchange("CoinBase") == "coinbase"
