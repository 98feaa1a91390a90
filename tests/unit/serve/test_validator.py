"""Which copies are still good, and how long one may be kept unasked."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.serve.condition import Condition
from marketdata.serve.validator import cache_control, etag, fingerprint, held_lifetime, lifetime

from tests.market import at

NOW = at("12:00")
DAY = timedelta(days=1)
WHOLE = Condition("available", 1.0, None)
H4 = timeframe_named("4h")


def test_equal_facts_have_equal_words_and_others_have_others() -> None:
    assert fingerprint("a", "b") == fingerprint("a", "b")
    assert len({fingerprint("a", "b"), fingerprint("ab"), fingerprint("a", "c")}) == 3


@pytest.mark.parametrize(
    ("end", "timeframe", "condition", "seconds"),
    [
        (NOW - DAY, M1, WHOLE, 86_400),
        (NOW - DAY, H4, WHOLE, 7 * 86_400),
        (NOW - DAY + timedelta(seconds=1), M1, WHOLE, 0),
        (None, M1, WHOLE, 0),
        (NOW - DAY, M1, replace(WHOLE, name="degraded"), 0),
        (NOW - DAY, M1, replace(WHOLE, name="missing", coverage=0.5), 0),
        (NOW - DAY, M1, replace(WHOLE, coverage=None), 0),
    ],
)
def test_only_time_that_is_past_and_held_whole_may_be_kept(
    end: datetime | None, timeframe: Timeframe, condition: Condition, seconds: int
) -> None:
    assert lifetime(end, timeframe, condition, NOW) == seconds


def test_the_live_edge_is_asked_for_each_time() -> None:
    assert (cache_control(0), cache_control(86_400)) == ("no-cache", "max-age=86400")


@pytest.mark.parametrize(
    ("header", "held"),
    [
        ('"word.86400"', 86_400),
        ('W/"word.0"', 0),
        ('"other.0", "word.604800"', 604_800),
        ("*", 0),
        ('"other.86400"', None),
        ('"word"', None),
        ('"word.5"', None),
        ('"word.x"', None),
        (f'"word.{"9" * 5_000}"', None),
        ("", None),
        (None, None),
    ],
)
def test_a_copy_is_known_by_its_word(header: str | None, held: int | None) -> None:
    assert held_lifetime(header, "word") == held


def test_a_validator_is_strong_and_is_found_again() -> None:
    tag = etag("word", 86_400)
    assert tag == '"word.86400"'
    assert held_lifetime(tag, "word") == 86_400
