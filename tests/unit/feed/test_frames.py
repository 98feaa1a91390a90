"""What a stream's client is told as messages."""

import json

import pytest
from marketdata.serve import sse

from feed.frames import frames


@pytest.mark.parametrize(
    ("chunk", "messages"),
    [
        (sse.event("candle", b'{"close":"1.10"}', "e-7"), [{"type": "candle", "id": "e-7", "data": {"close": "1.10"}}]),
        (
            sse.event("reset", b"{}") + sse.position("e-7"),
            [{"type": "reset", "data": {}}, {"type": "position", "id": "e-7"}],
        ),
        (sse.comment() + sse.retry(1_000), []),
        (sse.event("gap", b'{\n"a": 1}', "e-1"), [{"type": "gap", "id": "e-1", "data": {"a": 1}}]),
        (b"", []),
    ],
)
def test_each_block_is_a_message_and_a_comment_is_none(chunk: bytes, messages: list[object]) -> None:
    assert [json.loads(frame) for frame in frames(chunk)] == messages


def test_numbers_are_told_as_they_were_written() -> None:
    (frame,) = frames(sse.event("candle", b'{"close":1.10}', "e-7"))
    assert '"close":1.10' in frame
