"""Server-sent events as bytes: what a live stream's client hears. The gateway of the feed writes them.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event stream".
"""

CONTENT_TYPE = "text/event-stream"


def event(kind: str, document: bytes, event_id: str | None = None) -> bytes:
    """One event of `kind` that carries `document`, JSON in UTF-8.

    An event without `event_id` leaves the client's Last-Event-ID as it was: so speak the control events (reset,
    skipped), which are no part of the stream that a client resumes.
    """
    return _id_line(event_id) + _field("event", kind) + _data_lines(document) + b"\n"


def position(event_id: str) -> bytes:
    """Move the client's Last-Event-ID without an event: by the specification a block without data is not dispatched.

    It lets a client resume from where it really is, even if nothing it asked for has happened yet.
    """
    return _id_line(event_id) + b"\n"


def comment(text: str = "") -> bytes:
    """A line that clients ignore and that keeps proxies from closing a quiet stream."""
    return f": {_one_line(text)}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """How long a client waits before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()


def _id_line(event_id: str | None) -> bytes:
    return b"" if event_id is None else _field("id", event_id)


def _field(name: str, value: str) -> bytes:
    return f"{name}: {_one_line(value)}\n".encode()


def _data_lines(document: bytes) -> bytes:
    # bytes.splitlines breaks at \n, \r and \r\n alone, which are the format's line ends.
    return b"".join(b"data: " + line + b"\n" for line in document.splitlines() or [b""])


def _one_line(text: str) -> str:
    assert not {"\n", "\r", "\0"} & set(text), f"a line end inside a field: {text!r}"
    return text
