"""What a feed heard and did not save is seen, unless it had no chance to."""

from math import inf

import pytest
from marketdata.model.span import Span

from tests.simulation.heard import unsaved
from tests.simulation.market import SimulatedMarket
from tests.simulation.pace import PRODUCTION
from tests.simulation.record import Record
from tests.simulation.test_oracle import SPAN
from tests.simulation.unsteady_store import Weather
from tests.simulation.virtual_time import VirtualTime

MARKET = SimulatedMarket(3, Span(SPAN.start, SPAN.end))
KEY = ("BTC-USD", MARKET.trades("BTC-USD", SPAN)[0].id)


@pytest.fixture
def record() -> Record:
    """A feed heard of one trade at second 100."""
    made = Record(VirtualTime(SPAN.start))
    made.time.run_until(100)
    made.hears("feed-0.1", [KEY])
    return made


def missed(record: Record, weather: Weather | None = None) -> list[str]:
    return unsaved(record, MARKET, weather or Weather(), PRODUCTION)


def test_what_was_heard_and_not_kept_is_seen(record: Record) -> None:
    assert missed(record) == [f"feed-0.1 heard of trade {KEY[1]} of BTC-USD and did not save it"]


def test_what_was_kept_is_well(record: Record) -> None:
    record.keeps([KEY])
    assert missed(record) == []


def test_a_feed_that_died_at_once_had_no_chance(record: Record) -> None:
    record.died["feed-0.1"] = 101.0
    assert missed(record) == []


def test_a_store_that_never_answered_again_gave_no_chance(record: Record) -> None:
    assert missed(record, Weather(down=[(99.0, inf)])) == []


def test_a_store_that_answered_in_between_gave_a_chance(record: Record) -> None:
    assert missed(record, Weather(down=[(99.0, 110.0), (200.0, inf)])) != []


def test_a_feed_that_stood_still_had_no_chance(record: Record) -> None:
    record.stood_still["feed-0.1"] = [(100.5, 5000.0)]
    record.died["feed-0.1"] = 5001.0
    assert missed(record) == []
