"""Parameters that read themselves, and what they say of themselves."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import RequestInvalid
from marketdata.serve.parameter import Choice, Choices, Text, Time, Whole, given_parameters, in_order

COUNT = Whole("count", "How many.", aliases=("n",), default=5, least=2, most=9)
COLOUR = Choice("colour", "Which.", values={"red": 1, "blue": 2}, default="red")
STATES = Choices("state", "Which.", values={"a": (1,), "b": (2,), "both": (1, 2), "all": (1, 2, 3)}, default="both")


@given(st.integers(-5, 20))
def test_a_number_is_taken_exactly_within_the_bounds_that_its_schema_tells(number: int) -> None:
    schema = COUNT.schema()
    if schema["minimum"] <= number <= schema["maximum"]:
        assert COUNT.of({"count": str(number)}) == number
    else:
        with pytest.raises(RequestInvalid, match="from 2 to 9"):
            COUNT.of({"count": str(number)})


def test_what_is_not_given_is_the_default_that_the_schema_tells() -> None:
    assert COUNT.of({}) == COUNT.schema()["default"] == 5
    assert COLOUR.of({}) == COLOUR.values[COLOUR.schema()["default"]]


def test_a_choice_is_one_of_those_that_the_schema_tells() -> None:
    assert [COLOUR.of({"colour": name}) for name in COLOUR.schema()["enum"]] == [1, 2]
    with pytest.raises(RequestInvalid) as refused:
        COLOUR.of({"colour": "green"})
    assert refused.value.choices == ("red", "blue")


def test_several_may_be_chosen_each_once_and_in_order() -> None:
    assert STATES.of({"state": "b, a,both"}) == (1, 2)
    assert STATES.of({"state": "all"}) == (1, 2, 3)
    with pytest.raises(RequestInvalid, match="not one of a, b, both, all"):
        STATES.of({"state": ","})


def test_a_text_that_is_needed_says_how_it_looks() -> None:
    symbol = Text("symbol", "Whose.", example="BTC-USD")
    assert symbol.of({}) is None
    with pytest.raises(RequestInvalid, match="symbol=BTC-USD"):
        symbol.needed({})


def test_a_text_is_as_long_as_it_says_and_no_longer() -> None:
    name = Text("name", "Whose.", characters_max=3)
    assert name.of({"name": "abc"}) == name.needed({"name": "abc"}) == "abc"
    with pytest.raises(RequestInvalid, match="more than 3"):
        name.of({"name": "abcd"})


def test_a_character_that_the_store_cannot_hold_is_refused_at_the_door() -> None:
    with pytest.raises(RequestInvalid, match="NUL") as refused:
        given_parameters({"n": "3\0"}, (COUNT,))
    assert refused.value.field == "n"


def test_a_time_is_read_in_any_of_its_forms() -> None:
    start = Time("start", "When.")
    assert start.of({"start": "1786276800"}) == start.of({"start": "2026-08-09T12:00:00Z"})
    assert start.of({"start": "2026-08-09"}) == datetime(2026, 8, 9, tzinfo=UTC)


def test_aliases_mean_the_same_and_may_not_contradict() -> None:
    assert given_parameters({"n": "3", "colour": ""}, (COUNT, COLOUR)) == {"count": "3"}
    with pytest.raises(RequestInvalid, match="contradicts"):
        given_parameters({"n": "3", "count": "4"}, (COUNT,))


def test_what_is_no_parameter_of_a_query_is_refused_by_name() -> None:
    header = Text("Idempotency-Key", "Once.", place="header")
    with pytest.raises(RequestInvalid, match="there are count, n"):
        given_parameters({"Idempotency-Key": "1"}, (COUNT, header))


def test_a_span_may_not_end_where_it_starts() -> None:
    noon = datetime(2026, 8, 9, 12, tzinfo=UTC)
    in_order(None, noon)
    with pytest.raises(RequestInvalid, match="after start"):
        in_order(noon, noon)
