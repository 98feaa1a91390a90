"""What the feed counts."""

from marketdata.compute.continuity import Contiguity
from marketdata.store.answers import FeedStatus

from feed.metrics import counters
from tests.market import at


def test_counters_are_summed_over_all_exchanges() -> None:
    statuses = [
        FeedStatus("coinbase", "one", "live", at("10:00"), at("10:01"), contiguity=Contiguity(trades=9, absent=1)),
        FeedStatus(
            "binance",
            "one",
            "live",
            at("10:00"),
            at("10:01"),
            reconnects=5,
            malformed=6,
            contiguity=Contiguity(trades=2, duplicates=7, holes=3, mended=4, conflicting=1, backwards=1),
        ),
    ]
    assert counters(statuses) == {
        "FeedTrades": 11,
        "FeedTradesTwice": 7,
        "FeedHoles": 3,
        "FeedTradesMended": 4,
        "FeedIdViolations": 3,
        "FeedReconnects": 5,
        "FeedFramesMalformed": 6,
    }
