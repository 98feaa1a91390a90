"""What the feed counts."""

import json

import pytest
from marketdata import observe
from marketdata.compute.continuity import Contiguity
from marketdata.store.store import FeedStatus

from feed.metrics import count_growth
from tests.market import at


def status(exchange: str, missing: int = 0, **counts: int) -> FeedStatus:
    return FeedStatus(
        exchange, "one", "live", at("10:00"), at("10:01"), contiguity=Contiguity(**counts), missing=missing
    )


def test_metrics_say_how_much_was_counted_since_the_last_time_over_all_exchanges(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = count_growth([status("coinbase", trades=5, absent=1)], {})
    observe.write_metrics()
    count_growth([status("coinbase", trades=9, absent=1), status("binance", trades=2, missing=3, mended=4)], before)
    observe.write_metrics()
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["FeedTrades"], first["FeedIdViolations"], first["TradesMissing"]) == ([5], [1], [0])
    assert (second["FeedTrades"], second["FeedIdViolations"]) == ([6], [0])
    assert (second["FeedTradesMended"], second["TradesMissing"]) == ([4], [3])
