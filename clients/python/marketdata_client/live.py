"""The live stream: server-sent events to objects, and from where to go on. Pure: the clients read the bytes.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from marketdata_client.alerts import Alert, alert_of
from marketdata_client.candles import Candle, Gap, candle_of, gap_of
from marketdata_client.errors import MarketDataClientError

LINE_BYTES_MAX = 2**20


@dataclass(frozen=True, slots=True)
class Revise:
    """A candle that was told before was corrected or repaired: this is what it is now."""

    candle: Candle


@dataclass(frozen=True, slots=True)
class Reset:
    """What was missed is gone from the stream's window: load what you show afresh, then read on."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Whatever else the stream tells: `kind` is status and so on; `document` as it came."""

    kind: str
    document: dict[str, Any]


Live = Candle | Revise | Gap | Alert | Reset | Notice


class StreamReader:
    """Bytes in, objects out; `last_event_id` is where to go on after a break."""

    def __init__(self, last_event_id: str | None = None) -> None:
        self.last_event_id = last_event_id
        self._rest = b""
        self._id: str | None = None
        self._kind = ""
        self._data: list[str] = []

    def begin(self) -> None:
        """A new connection: half an event of the last one is no event."""
        self._rest, self._id, self._kind, self._data = b"", None, "", []

    def read(self, received: bytes) -> Iterator[Live]:
        """The events that `received` completes."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            raise MarketDataClientError(f"a line of the stream has more than {LINE_BYTES_MAX:,} bytes")
        for line in lines:
            yield from self._line(line.rstrip(b"\r").decode())

    def _line(self, line: str) -> Iterable[Live]:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        return ()

    def _dispatch(self) -> Sequence[Live]:
        kind, data = self._kind, "\n".join(self._data)
        if self._id is not None:
            self.last_event_id = self._id
        self._id, self._kind, self._data = None, "", []
        # "skipped" only announces that the connection ends; the next one goes on where this one was.
        return (_event(kind, json.loads(data)),) if data and kind != "skipped" else ()


def _event(kind: str, document: dict[str, Any]) -> Live:
    if kind == "candle":
        return candle_of(document)
    if kind == "revise":
        return Revise(candle_of(document))
    if kind == "gap" and {"start", "end"} <= document.keys():
        return gap_of(document)
    if kind == "alert":
        return alert_of(document)
    return Reset() if kind == "reset" else Notice(kind, document)
