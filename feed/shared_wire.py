"""How the shared ring lies in Valkey or Redis: a stream of batches, and a head that numbers their events.

    {marketdata-live}:events      a stream; an entry is a batch of events: epoch, first (the first one's number), events
    {marketdata-live}:head        a hash: epoch, and sequence, the newest event's number
    {marketdata-live}:by:<name>   the newest batch of one publisher, so that one that is sent twice counts once

Each change is one script, so that feeds which publish at once get one order without holes. The braces keep all of it on
one node of a cluster.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from backports import zstd

from feed.hub import KINDS
from feed.ring import Event

EVENTS, HEAD = "{marketdata-live}:events", "{marketdata-live}:head"
BATCHES_MAX = 100_000
"""A bound of memory: some kilobytes each."""
AGE_SECONDS_MAX = 900
"""Older batches go; a client is promised ten minutes to come back in."""
BATCH_BYTES_MAX = 64_000_000
"""What a batch unpacks to at the most."""

APPEND = """
local head = redis.call('hmget', KEYS[2], 'epoch', 'sequence')
local epoch, sequence = head[1], tonumber(head[2] or '0')
-- Nothing here, or less than the caller was told before: the server lost what it had, and numbers must not come twice.
if not epoch or (epoch == ARGV[2] and sequence < tonumber(ARGV[3])) then
  redis.call('del', KEYS[1], KEYS[2])
  epoch, sequence = ARGV[1], 0
  redis.call('hset', KEYS[2], 'epoch', epoch, 'sequence', 0)
end
local number, count, lost = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if count == 0 or tonumber(redis.call('get', KEYS[3]) or '0') >= number then
  return {epoch, sequence}
end
-- A loss takes a number of its own, by which every reader sees it.
local first = sequence + lost + 1
sequence = first + count - 1
redis.call('hset', KEYS[2], 'sequence', sequence)
redis.call('set', KEYS[3], number, 'EX', ARGV[9])
redis.call('xadd', KEYS[1], 'MAXLEN', '~', ARGV[8], '*', 'epoch', epoch, 'first', first, 'events', ARGV[7])
redis.call('xtrim', KEYS[1], 'MINID', '~', (tonumber(redis.call('time')[1]) - tonumber(ARGV[9])) * 1000)
return {epoch, sequence}
"""


class _Sent(msgspec.Struct, array_like=True):
    kind: str
    exchange: str
    symbol: str
    document: bytes
    conflation_key: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """An entry of the stream: its events, from number `first` of `epoch` on."""

    epoch: str
    first: int
    events: Sequence[_Sent]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Sent]).decode


def packed(events: Sequence[Event]) -> bytes:
    """The events of a batch; their documents are alike, so that they pack to a tenth."""
    sent = [_Sent(one.kind, one.exchange, one.symbol, one.encoded, one.conflation_key) for one in events]
    return zstd.compress(_encode(sent), level=1)


def batch_of(entry: tuple[bytes, dict[bytes, bytes]]) -> Batch:
    """An entry as Redis gives it. Raises: ValueError for one that is none of ours."""
    fields = entry[1]
    try:
        events = _decode(_unpacked(fields[b"events"]))
        if strange := {one.kind for one in events} - set(KINDS):
            raise ValueError(f"no kinds of event: {', '.join(sorted(strange))}")
        return Batch(fields[b"epoch"].decode(), int(fields[b"first"]), events)
    except (KeyError, zstd.ZstdError, msgspec.DecodeError) as error:
        raise ValueError("not a batch of this version") from error


def _unpacked(blob: bytes) -> bytes:
    unpacking = zstd.ZstdDecompressor()
    body = unpacking.decompress(blob, max_length=BATCH_BYTES_MAX)
    if not unpacking.eof:
        raise ValueError("a batch of the shared ring is larger than any feed writes")
    return body


def publisher_key(publisher: str) -> str:
    """Where the newest batch of that publisher is noted."""
    return f"{{marketdata-live}}:by:{publisher}"


def dial(url: str, *, answer_seconds_max: float) -> Any:
    """A client of the server at `url` (redis://, rediss:// or valkey://), which connects when it is first asked."""
    # Imported here: only a feed or gateway with REDIS_URL pays for it.
    from redis.asyncio import Redis  # noqa: PLC0415

    return Redis.from_url(
        url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
        socket_timeout=answer_seconds_max,
        socket_connect_timeout=answer_seconds_max,
        protocol=2,  # in which answers are plain lists
        retry=None,
        max_connections=2,
    )


async def make_room(client: Any, error: Exception) -> None:
    """Where the server is full: forget the older half, else no batch would ever get in to trim what is old.

    Other errors are somebody else's. Clients from before the new oldest batch are told `reset`.
    """
    from redis.exceptions import OutOfMemoryError  # noqa: PLC0415

    if isinstance(error, OutOfMemoryError):
        with suppress(*failures()):
            await client.xtrim(EVENTS, maxlen=await client.xlen(EVENTS) // 2, approximate=False)


def failures() -> tuple[type[Exception], ...]:
    """What a question to the server may end in."""
    from redis import RedisError  # noqa: PLC0415

    return (RedisError, OSError, TimeoutError)
