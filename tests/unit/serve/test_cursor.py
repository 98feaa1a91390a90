"""Cursors: handed back as they were given, or refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from marketdata.errors import RequestInvalid
from marketdata.serve.cursor import Cursors

LAST = datetime(2026, 8, 9, 21, 5, tzinfo=UTC)
CURSORS = Cursors("a secret")

times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.text(), times)
def test_a_cursor_says_where_its_question_was_left(question: str, last: datetime) -> None:
    assume(question.isprintable())
    assert CURSORS.read(question, CURSORS.issue(question, last)) == last


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_may_hold_a_number(last: int) -> None:
    assert CURSORS.read_after("gaps", CURSORS.issue_after("gaps", last)) == last


def test_a_cursor_is_good_for_its_own_question_alone() -> None:
    with pytest.raises(RequestInvalid, match="another question"):
        CURSORS.read("ETH-USD", CURSORS.issue("BTC-USD", LAST))


def test_a_cursor_of_another_house_is_refused() -> None:
    with pytest.raises(RequestInvalid):
        CURSORS.read("BTC-USD", Cursors("another secret").issue("BTC-USD", LAST))


@given(st.integers(0, 31), st.characters(categories=["L", "N"]))
def test_a_cursor_with_any_character_changed_is_refused(place: int, character: str) -> None:
    cursor = CURSORS.issue("BTC-USD", LAST)
    changed = cursor[:place] + character + cursor[place + 1 :]
    assume(changed != cursor)
    with pytest.raises(RequestInvalid) as refused:
        CURSORS.read("BTC-USD", changed)
    assert refused.value.field == "cursor"


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        CURSORS.read("BTC-USD", text)
