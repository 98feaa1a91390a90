"""What a stream's client is told, as messages of a WebSocket: each block of server-sent events is one JSON text."""

from collections.abc import Iterator

import msgspec

_encode = msgspec.json.Encoder().encode


def frames(chunk: bytes) -> Iterator[str]:
    """The messages of a write (whole blocks, as the hub hands them over); a comment is none.

    An event is {"type": kind, "id": ..., "data": ...}; control events (reset, skipped) have no id, as they are no part
    of what is resumed; a block that only moves the place to resume from is {"type": "position", "id": ...}.
    """
    for block in chunk.split(b"\n\n"):
        fields = [line.partition(b": ") for line in block.splitlines() if not line.startswith(b":")]
        known = {name: value for name, _, value in fields}
        if b"event" in known:
            document = b"\n".join(value for name, _, value in fields if name == b"data")
            yield _message(known[b"event"].decode(), known.get(b"id"), document)
        elif b"id" in known:
            yield _message("position", known[b"id"], None)


def _message(kind: str, event_id: bytes | None, document: bytes | None) -> str:
    message: dict[str, object] = {"type": kind}
    if event_id is not None:
        message["id"] = event_id.decode()
    if document is not None:
        message["data"] = msgspec.Raw(document)
    return _encode(message).decode()
