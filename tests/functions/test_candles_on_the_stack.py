"""Answers of candles from the real database: what a copy that is still good costs, and what changes it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.model.candle import Source
from marketdata.observe import Handler
from marketdata.store.http_line import HttpAnswer, HttpLine
from marketdata.store.supabase import SupabaseStore

from functions.api.handler import application
from tests.conftest import RunningSupabase
from tests.functions.calls import get, settings
from tests.market import BTC, ETH, at, candle, minutes

pytestmark = pytest.mark.stack

ASKED: dict[str, Any] = {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z", "end": "2026-08-09T18:20:00Z"}


class Wire(HttpLine):
    """A line to the store that remembers what was asked over it, and how much came back."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout_seconds=10)
        self.asked: list[str] = []
        self.received = 0

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        answer = super().send(method, path, headers, body)
        self.asked.append(path.partition("?")[0].rpartition("/")[2])
        self.received += len(answer.content)
        return answer

    def forget(self) -> None:
        """Count from now on."""
        self.asked, self.received = [], 0


@pytest.fixture
def wire(empty_supabase: RunningSupabase) -> Wire:
    return Wire(empty_supabase.url)


@pytest.fixture
def store(empty_supabase: RunningSupabase, wire: Wire) -> Iterator[SupabaseStore]:
    """A store that holds 500 minutes of BTC-USD."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key, line=wire)
    store.put_instruments([BTC, ETH])
    store.put_candles(minutes("10:00", "18:20"))
    while store.roll_up():
        pass
    yield store
    store.close()


@pytest.fixture
def api(store: SupabaseStore) -> Handler:
    return application(store, settings(MARKETDATA_LOCAL="1"), FakeClock(at("23:00")))


def test_a_copy_that_is_good_costs_one_question_and_no_row(api: Handler, wire: Wire) -> None:
    first = get(api, "/v1/candles", None, **ASKED)
    assert len(first.json["data"]) == 500
    wire.forget()
    again = get(api, "/v1/candles", {"if-none-match": first.headers["etag"]}, **ASKED)
    assert (again.status, again.text or "") == (304, "")
    assert wire.asked == ["candles_version_v1"]
    assert wire.received < 100, "one word"


def test_a_repair_changes_it_and_a_write_elsewhere_does_not(api: Handler, store: SupabaseStore) -> None:
    tag = {"if-none-match": get(api, "/v1/candles", None, **ASKED).headers["etag"]}
    store.put_candles([*minutes("10:00", "10:30", ETH), *minutes("18:20", "18:40"), *minutes("09:00", "09:30")])
    while store.roll_up():
        pass
    assert get(api, "/v1/candles", tag, **ASKED).status == 304
    store.put_candles([candle(at("12:00"), price="7", source=Source.MANUAL)])
    changed = get(api, "/v1/candles", tag, **ASKED)
    assert (changed.status, changed.json["data"][120]["close"]) == (200, "7")


def test_the_first_answer_is_one_question_too(api: Handler, wire: Wire) -> None:
    get(api, "/v1/candles", None, **ASKED)
    wire.forget()
    get(api, "/v1/candles", None, **ASKED)
    assert wire.asked == ["read_candles_v2"]


def test_thousands_of_rows_are_not_cut_by_a_cap_behind_us(api: Handler, store: SupabaseStore) -> None:
    store.put_candles(minutes("00:00", "10:00"))
    store.put_candles(minutes("18:20", "23:00"))
    answer = get(api, "/v1/candles", None, symbol="BTC-USD", limit="10000", start="2026-08-09")
    assert len(answer.json["data"]) == 23 * 60
    assert answer.json["next_cursor"] is None
    assert len(json.loads(get(api, "/candles", None, symbol="BTC-USD").text)) == 23 * 60


@pytest.mark.parametrize("path", ["/v1/metadata", "/api/metadata", "/status", "/v1/metrics", "/api/metrics"])
def test_reports_are_answered_from_the_database(api: Handler, path: str) -> None:
    answer = get(api, path)
    assert answer.status == 200
    assert "BTC-USD" in answer.text


def test_metrics_for_prometheus_come_from_the_database(api: Handler) -> None:
    assert 'marketdata_candle_age_seconds{exchange="coinbase",symbol="BTC-USD"}' in get(api, "/metrics").text
