"""What feeds say on its way to and from the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import msgspec
from marketdata.store.answers import FeedStatus
from marketdata.store.feed_rows import FeedRow, feed_row

from tests.contract.histories import MINUTE, MONDAY


def test_what_a_feed_says_survives_the_way_there_and_back() -> None:
    status = FeedStatus("coinbase", "one", "live", MONDAY, MONDAY + MINUTE, MONDAY, None, 1, 2, 3, 4, 5, "fine")
    there = msgspec.json.encode(feed_row(status))
    assert msgspec.json.decode(there, type=FeedRow).status == status


def test_times_come_back_in_utc_whatever_the_server_speaks() -> None:
    berlin = datetime(2026, 8, 31, 2, tzinfo=timezone(timedelta(hours=2)))
    row = feed_row(FeedStatus("coinbase", "one", "live", MONDAY, MONDAY))
    status = msgspec.convert(row | {"started_at": berlin.isoformat()}, FeedRow).status
    assert status.started_at.tzinfo is UTC
    assert replace(status, started_at=MONDAY) == status
