"""What callers say they take, and what they get."""

import gzip

import pytest
from backports import zstd
from marketdata.errors import NotAcceptable
from marketdata.serve.formats import ARROW, COLUMNS, CSV, RECORDS, choose_format
from marketdata.serve.negotiation import Coding, accepted, coding, compress

OFFERED = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("header", "liked"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
        ("*/*, application/json;q=0", "text/csv"),
        ("image/png", None),
        ("application/json;q=x", None),
    ],
)
def test_the_media_type_liked_best_is_chosen(header: str | None, liked: str | None) -> None:
    assert accepted(header, OFFERED) == liked


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, Coding.IDENTITY),
        ("gzip", Coding.GZIP),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
        ("zstd;q=0.5, gzip", Coding.GZIP),
        ("*", Coding.ZSTD),
        ("br", Coding.IDENTITY),
        ("identity", Coding.IDENTITY),
        ("gzip;q=0", Coding.IDENTITY),
    ],
)
def test_the_packing_is_one_that_the_caller_can_undo(header: str | None, chosen: Coding) -> None:
    assert coding(header) is chosen


def test_what_is_packed_is_unpacked_by_everybody_s_tools() -> None:
    body = b"candles " * 1_000
    assert gzip.decompress(compress(body, Coding.GZIP)) == body
    assert zstd.decompress(compress(body, Coding.ZSTD)) == body
    assert compress(body, Coding.IDENTITY) is body


def test_equal_bodies_are_packed_alike() -> None:
    assert compress(b"x" * 5_000, Coding.GZIP) == compress(b"x" * 5_000, Coding.GZIP)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/csv", CSV),
        ("application/vnd.apache.arrow.stream", ARROW),
        ("application/vnd.marketdata.columns+json", COLUMNS),
        ("text/html,application/xhtml+xml,*/*;q=0.8", RECORDS),
    ],
)
def test_a_format_is_named_by_its_media_type(accept: str, chosen: object) -> None:
    assert choose_format(None, accept) is chosen


def test_the_name_of_a_format_counts_more_than_what_is_accepted() -> None:
    assert choose_format(CSV, "application/json") is CSV


def test_who_takes_none_of_our_formats_hears_which_there_are() -> None:
    with pytest.raises(NotAcceptable) as refused:
        choose_format(None, "image/png")
    assert refused.value.choices == ("json", "columns", "csv", "arrow")
