"""The pure parts of the Python client: patience, the reader of the stream, what several pages say together."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from marketdata_client.alerts import Alert
from marketdata_client.candles import Gap, joined, moment
from marketdata_client.live import Notice, Reset, StreamReader
from marketdata_client.patience import Patience, retry_after_seconds

TOLD = (
    b"retry: 1000\n\nevent: reset\ndata: {}\n\nid: e-4\n\n: \n\n"
    b'id: e-5\nevent: status\ndata: {"a":\ndata: 1}\n\nevent: skipped\ndata: {"from":"e-6","to":"e-9"}\n\n'
)


@given(st.lists(st.integers(0, len(TOLD)), max_size=8))
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    reader = StreamReader()
    edges = [0, *sorted(cuts), len(TOLD)]
    heard = [event for start, end in itertools.pairwise(edges) for event in reader.read(TOLD[start:end])]
    assert heard == [Reset(), Notice("status", {"a": 1})]
    assert reader.last_event_id == "e-5"


def test_half_an_event_of_a_broken_connection_is_no_event() -> None:
    reader = StreamReader("e-1")
    assert list(reader.read(b'id: e-2\nevent: status\ndata: {"a"')) == []
    reader.begin()
    assert list(reader.read(b'event: status\ndata: {"b":1}\n\n')) == [Notice("status", {"b": 1})]
    assert reader.last_event_id == "e-1"


def test_gaps_and_alerts_of_the_stream_are_objects() -> None:
    told = (
        b'event: gap\ndata: {"id":7,"exchange":"coinbase","symbol":"BTC-USD","timeframe":"1m","start":'
        b'"2026-08-09T10:00:00Z","end":"2026-08-09T10:05:00Z","buckets":5,"state":"filled","cause":"scan","reason":"",'
        b'"attempts":1,"found_at":"2026-08-09T10:06:00Z","retry_at":null,"repaired_at":"2026-08-09T10:07:00Z",'
        b'"simulated":false}\n\n'
        b'event: alert\ndata: {"id":"a","rule":"feed.down","dedup_key":"k","severity":"critical","state":"firing",'
        b'"flapping":false,"summary":"down","exchange":"coinbase","symbol":null,"timeframe":null,'
        b'"started_at":"2026-08-09T10:00:00Z","created_at":"2026-08-09T10:01:00Z","resolved_at":null,"seconds":null,'
        b'"context":{"value":47},"told":null,"told_at":null,"deliveries":[{"target":"hook"}]}\n\n'
    )
    gap, alert = StreamReader().read(told)
    assert isinstance(gap, Gap)
    assert (gap.id, gap.exchange, gap.symbol, gap.state) == (7, "coinbase", "BTC-USD", "filled")
    assert gap.repaired_at == moment("2026-08-09T10:07:00Z")
    assert isinstance(alert, Alert)
    assert (alert.rule, alert.state, alert.symbol, alert.resolved_at) == ("feed.down", "firing", None, None)
    assert (alert.context, alert.deliveries) == ({"value": 47}, ({"target": "hook"},))


@given(st.integers(1, 10), st.floats(0, 1), st.none() | st.floats(0, 100))
def test_patience_is_bounded(tried: int, share: float, retry_after: float | None) -> None:
    patience = Patience(tries=5, delay_seconds=0.5, delay_seconds_max=30)
    wait_seconds = patience.wait_seconds(tried, retry_after, share)
    if tried >= 5 or (retry_after or 0) > 30:
        assert wait_seconds is None
    else:
        assert wait_seconds is not None
        assert (retry_after or 0) <= wait_seconds <= 33


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after_seconds("7", 0.0) == 7
    assert retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 50.0) == 10
    assert retry_after_seconds("soon", 0.0) is None


def meta(condition: str, coverage: float, start: str, end: str, *gaps: dict[str, Any]) -> dict[str, Any]:
    span = {"start": f"2026-08-09T{start}:00Z", "end": f"2026-08-09T{end}:00Z"}
    of_all = {"gaps": list(gaps), "gaps_total": len(gaps), "as_of": "2026-08-10T00:00:00Z"}
    return {"condition": condition, "coverage": coverage, "span": span, **of_all}


def gap(start: str, end: str, buckets: int) -> dict[str, Any]:
    times = {"start": f"2026-08-09T{start}:00Z", "end": f"2026-08-09T{end}:00Z"}
    return {**times, "buckets": buckets, "state": "open", "reason": ""}


def test_pages_together_are_as_good_as_their_worst_and_a_gap_over_their_edge_is_one() -> None:
    first = meta("degraded", 0.9, "10:00", "11:00", gap("10:54", "11:00", 6))
    second = meta("missing", 0.5, "11:00", "14:00", gap("11:00", "12:30", 90))
    whole = joined([first, second], [])
    assert whole.condition == "missing"
    assert whole.coverage == (0.9 * 1 + 0.5 * 3) / 4
    assert whole.gaps == (Gap(moment("2026-08-09T10:54:00Z"), moment("2026-08-09T12:30:00Z"), 96, "open"),)
