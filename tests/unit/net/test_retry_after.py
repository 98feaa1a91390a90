"""What a refusal asks for, in seconds."""

import pytest
from marketdata.net.retry_after import BAN_SECONDS, SLOW_DOWN_SECONDS, WAIT_SECONDS_MAX, asked_wait


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (429, "0.5", 0.5),
        (429, "-3", 0.0),
        (429, None, SLOW_DOWN_SECONDS),
        (429, "nan", SLOW_DOWN_SECONDS),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", SLOW_DOWN_SECONDS),
        (429, "inf", WAIT_SECONDS_MAX),
        (418, "259201", WAIT_SECONDS_MAX),
        (418, None, BAN_SECONDS),
        (503, "60", 0.0),
        (451, None, 0.0),
    ],
)
def test_a_refusal_is_waited_out_as_long_as_it_says_and_never_for_ever(
    status: int, header: str | None, seconds: float
) -> None:
    assert asked_wait(status, header) == seconds
