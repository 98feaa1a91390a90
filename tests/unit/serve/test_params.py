"""Query strings to questions."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import RequestInvalid
from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.serve.candle_answer import Fill, TimeForm, View
from marketdata.serve.decimals import as_number, as_string
from marketdata.serve.params import (
    CANDLES,
    CandleQuery,
    CoverageQuery,
    GapQuery,
    candle_query,
    coverage_query,
    gap_query,
    latest_query,
    no_parameters,
)

BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
START, END = datetime(2026, 8, 9, tzinfo=UTC), datetime(2026, 8, 10, tzinfo=UTC)
WHOLE = {
    "symbol": "BTC-USD",
    "exchange": "coinbase",
    "timeframe": "1h",
    "start": "2026-08-09",
    "end": "2026-08-10",
    "limit": "10",
    "order": "desc",
    "decimals": "number",
    "time": "ms",
    "fill": "null",
    "indicators": "sma10, SMA3,sma10",
    "format": "csv",
}


WHOLE_VIEW = View(as_number, TimeForm.MILLISECONDS, Fill.NULL, (10, 3))


def test_a_whole_question() -> None:
    assert candle_query(WHOLE) == CandleQuery(
        "BTC-USD", "coinbase", timeframe_named("1h"), START, END, 10, newest_first=True, view=WHOLE_VIEW
    )


def test_a_symbol_is_enough() -> None:
    expected = CandleQuery("BTC-USD", None, M1, None, None, 1000, newest_first=False, view=View(as_string))
    assert candle_query({"symbol": "BTC-USD"}) == expected


@pytest.mark.parametrize(("name", "alias"), [(one.name, alias) for one in CANDLES for alias in one.names])
def test_a_parameter_may_go_by_any_of_its_names(name: str, alias: str) -> None:
    whole = WHOLE | {"cursor": "abc"}
    renamed = {alias if given == name else given: value for given, value in whole.items()}
    assert candle_query(renamed) == candle_query(whole)


def test_a_granularity_may_be_in_seconds() -> None:
    assert candle_query({"symbol": "BTC-USD", "granularity": "3600"}).timeframe == timeframe_named("1h")


def test_an_empty_parameter_is_not_given() -> None:
    assert candle_query({"symbol": "BTC-USD", "start": "", "cursor": ""}) == candle_query({"symbol": "BTC-USD"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", ""),
        ("timeframe", "7h"),
        ("timeframe", "1M"),
        ("timeframe", "61"),
        ("start", "soon"),
        ("end", "2026-08-08"),
        ("end", "2026-08-09"),
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "-1"),
        ("limit", "1e3"),
        ("limit", "٣"),
        ("order", "newest"),
        ("decimals", "float"),
        ("fill", "next"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(field: str, value: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        candle_query(WHOLE | {field: value})
    assert refused.value.field == field


def test_two_names_of_one_parameter_must_agree() -> None:
    with pytest.raises(RequestInvalid, match="contradicts another name of start"):
        candle_query({"symbol": "BTC-USD", "start": "2026-08-09", "from": "2026-08-08"})
    agreeing = {"symbol": "BTC-USD", "start": "2026-08-09", "from": "2026-08-09"}
    assert candle_query(agreeing).start == START


def test_the_latest_have_no_span() -> None:
    assert latest_query({"symbol": "BTC-USD", "tf": "1h", "limit": "5"}).newest_first
    with pytest.raises(RequestInvalid, match="start"):
        latest_query({"symbol": "BTC-USD", "start": "2026-08-09"})


def test_coverage_may_be_asked_of_everything_or_of_one_thing() -> None:
    assert coverage_query({}) == CoverageQuery(None, None, M1, None, None)
    asked = coverage_query(
        {"symbol": "BTC-USD", "broker": "coinbase", "tf": "1h", "from": "2026-08-09", "to": "2026-08-10"}
    )
    assert asked == CoverageQuery("BTC-USD", "coinbase", timeframe_named("1h"), START, END)


def test_gaps_may_be_asked_of_everything_or_of_one_thing() -> None:
    assert gap_query({}) == GapQuery(None, None, UNRESOLVED, 100, None)
    given = {"symbol": "BTC-USD", "broker": "coinbase", "state": "filled", "limit": "5", "cursor": "abc"}
    assert gap_query(given) == GapQuery("BTC-USD", "coinbase", (GapState.FILLED,), 5, "abc")


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("open", (GapState.OPEN,)),
        ("leased, open,open", (GapState.OPEN, GapState.LEASED)),
        ("unresolved", UNRESOLVED),
        ("filled,unresolved", (GapState.OPEN, GapState.LEASED, GapState.FILLED)),
        ("all", tuple(GapState)),
    ],
)
def test_states_are_one_or_several(text: str, states: tuple[GapState, ...]) -> None:
    assert gap_query({"state": text}).states == states


@pytest.mark.parametrize("text", ["lost", "open,lost", ",", "OPEN "])
def test_a_state_that_there_is_not_is_told_which_there_are(text: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        gap_query({"state": text})
    assert refused.value.field == "state"
    assert {state.value for state in GapState} <= set(refused.value.choices)


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_page_of_gaps_is_bounded(limit: str) -> None:
    with pytest.raises(RequestInvalid, match="from 1 to 1000"):
        gap_query({"limit": limit})


def test_coverage_has_no_pages() -> None:
    with pytest.raises(RequestInvalid, match="limit"):
        coverage_query({"limit": "5"})


def test_a_question_without_parameters_takes_none() -> None:
    no_parameters({})
    with pytest.raises(RequestInvalid, match="is not a parameter here; there are none"):
        no_parameters({"verbose": "1"})


@given(st.dictionaries(st.sampled_from([*WHOLE, "cursor"]), st.text(max_size=20)))
def test_whatever_is_asked_is_a_question_or_the_callers_mistake(parameters: dict[str, str]) -> None:
    with suppress(RequestInvalid):
        assert candle_query(parameters).symbol


def test_the_same_question_in_other_words_is_the_same_question() -> None:
    one = candle_query({"symbol": "BTC-USD", "start": "2026-08-09", "limit": "5"})
    other = candle_query({"symbol": "btc/usd", "from": str(int(START.timestamp())), "decimals": "number"})
    assert one.question(BTC) == other.question(BTC)


@pytest.mark.parametrize("change", [{"start": "2026-08-08"}, {"end": "2026-08-11"}, {"order": "asc"}, {"tf": "1m"}])
def test_another_span_order_or_timeframe_is_another_question(change: dict[str, str]) -> None:
    names = {"tf": "timeframe"}
    changed = WHOLE | {names.get(name, name): value for name, value in change.items()}
    assert candle_query(changed).question(BTC) != candle_query(WHOLE).question(BTC)
