"""Everything that a simulation's parts share: time, market, exchange, store, and the record of what happened."""

from dataclasses import dataclass

from marketdata.store.store import Store

from tests.simulation.exchange import StreamExchange
from tests.simulation.market import SimulatedMarket
from tests.simulation.pace import Pace
from tests.simulation.record import Record
from tests.simulation.rest import RestExchange
from tests.simulation.unsteady_store import Weather
from tests.simulation.virtual_time import VirtualTime


@dataclass(frozen=True, slots=True)
class World:
    """One simulation."""

    seed: int
    pace: Pace
    time: VirtualTime
    market: SimulatedMarket
    exchange: StreamExchange
    rest: RestExchange
    store: Store
    weather: Weather
    record: Record
