"""One answer in one format and packing: what goes over HTTP, and what a cache may keep."""

from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from marketdata.serve.negotiation import Coding
from marketdata.serve.validator import cache_control, etag

VARY = "Accept, Accept-Encoding"

# Lambda answers with at most 6 MB, as JSON: text is escaped in it, and bytes take a third more.
CARRIED_BYTES_MAX = 5_500_000


class Representation(Struct, frozen=True):
    """A body, or none with 304, that `word` is the fingerprint of.

    `lifetime` is how many seconds a copy may be used unasked. `coverage` is empty where nothing was expected.
    """

    status: int
    word: str
    lifetime: int
    content_type: str = ""
    body: bytes | str = b""
    coding: Coding = Coding.IDENTITY
    condition: str = ""
    coverage: str = ""
    next_cursor: str | None = None

    def headers(self, path: str, query_string: str) -> dict[str, str]:
        """Those of the answer; the next page is the request at `path` again with its cursor."""
        told = {
            "ETag": etag(self.word, self.lifetime),
            "Cache-Control": cache_control(self.lifetime),
            "Vary": VARY,
            "X-Data-Condition": self.condition,
            "X-Data-Coverage": self.coverage,
            "Content-Encoding": "" if self.coding is Coding.IDENTITY else self.coding.value,
            "Link": next_link(path, query_string, self.next_cursor),
        }
        return {name: value for name, value in told.items() if value}


def not_modified(word: str, lifetime: int) -> Representation:
    """The copy that the caller has is still good."""
    return Representation(304, word, lifetime)


def carried_bytes(body: bytes | str) -> int:
    """How many bytes a body takes on its way through Lambda, at least."""
    if isinstance(body, bytes):
        return (len(body) + 2) // 3 * 4
    return len(body) + sum(body.count(character) for character in '"\\\n\r')


def next_link(path: str, query_string: str, cursor: str | None) -> str:
    """The Link header that leads to the next page: the same request with its cursor; empty if there is no more."""
    if cursor is None:
        return ""
    kept = [(name, value) for name, value in parse_qsl(query_string) if name != "cursor"]
    return f'<{path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'
