"""A client of a live stream that hears exactly what a browser's EventSource would.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event stream".
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """One dispatched event; `event_id` is the client's Last-Event-ID when it was dispatched."""

    kind: str
    data: str
    event_id: str


class EventSource:
    """Feed it bytes as they arrive; it keeps what it heard and where it would resume.

    An id counts from the end of its block on: of a block that is cut off nothing remains.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.heard: list[Heard] = []
        self.comments: list[str] = []
        self.last_event_id = last_event_id
        self.retry_milliseconds: int | None = None
        self._buffer = ""
        self._event_id = last_event_id
        self._kind = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Heard]:
        """Interpret more of the stream; returns the events that it completed."""
        before = len(self.heard)
        *lines, self._buffer = re.split("\r\n|\n|\r", self._buffer + chunk.decode())
        for line in lines:
            self._line(line)
        return self.heard[before:]

    def of_kind(self, kind: str) -> list[Heard]:
        """What was heard of one kind."""
        return [event for event in self.heard if event.kind == kind]

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self._dispatch()
        elif not name:
            self.comments.append(value)
        elif name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._event_id = value
        elif name == "retry" and value.isdigit():
            self.retry_milliseconds = int(value)

    def _dispatch(self) -> None:
        self.last_event_id = self._event_id
        if self._data:
            self.heard.append(Heard(self._kind or "message", "\n".join(self._data), self.last_event_id))
        self._kind, self._data = "", []
