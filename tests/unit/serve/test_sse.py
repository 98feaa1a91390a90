"""What is encoded is what a browser hears."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.serve import sse

from tests.event_source import EventSource, Heard

one_line = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=40)
name = st.from_regex("[a-z]{1,12}", fullmatch=True)


def hear(*chunks: bytes) -> EventSource:
    source = EventSource()
    source.feed(b"".join(chunks))
    return source


def test_an_event_is_heard_with_its_kind_document_and_id() -> None:
    source = hear(sse.event("candle", b'{"close":"1.5"}', "e-7"))
    assert source.heard == [Heard("candle", '{"close":"1.5"}', "e-7")]


def test_an_event_without_an_id_leaves_the_place_of_the_client_as_it_was() -> None:
    source = hear(sse.event("candle", b"{}", "e-7"), sse.event("skipped", b"{}"))
    assert source.last_event_id == "e-7"


def test_a_position_moves_the_place_of_the_client_and_is_not_heard() -> None:
    source = hear(sse.position("e-9"))
    assert (source.heard, source.last_event_id) == ([], "e-9")


def test_a_comment_is_not_heard() -> None:
    source = hear(sse.comment("still here"))
    assert (source.heard, source.comments) == ([], ["still here"])


def test_the_client_is_told_when_to_come_back() -> None:
    assert hear(sse.retry(1_000)).retry_milliseconds == 1_000


@pytest.mark.parametrize("document", [b"{\n}", b"{\r\n}", b"{\r}"])
def test_a_document_of_several_lines_stays_one_event(document: bytes) -> None:
    assert [event.data for event in hear(sse.event("gap", document)).heard] == ["{\n}"]


def test_a_line_end_inside_a_field_cannot_forge_an_event() -> None:
    with pytest.raises(AssertionError):
        sse.event("candle\ndata: forged", b"{}")


@given(st.lists(st.tuples(name, one_line, one_line), max_size=8), st.integers(1, 30))
def test_whatever_is_encoded_is_heard_in_any_cut_of_the_bytes(events: list[tuple[str, str, str]], cut: int) -> None:
    encoded = b"".join(sse.event(kind, data.encode(), event_id) for kind, data, event_id in events)
    source = EventSource()
    for character in range(0, len(encoded.decode()), cut):
        source.feed(encoded.decode()[character : character + cut].encode())
    assert [(event.kind, event.data, event.event_id) for event in source.heard] == events
