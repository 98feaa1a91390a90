"""What a client of the live stream asks for, by whichever way it comes."""

from collections.abc import Mapping
from dataclasses import dataclass

from marketdata.errors import RequestInvalid

from feed.hub import KINDS

SYMBOLS_MAX = 100
NAME_CHARACTERS_MAX = 64
_PARAMETERS = ("exchange", "symbol", "kinds", "last_event_id")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a client of /stream asks for; None means all, and for `last_event_id` from now on."""

    exchange: str | None
    symbols: frozenset[str] | None
    kinds: frozenset[str] | None
    last_event_id: str | None


def parse_stream_request(query: Mapping[str, str], headers: Mapping[str, str]) -> StreamRequest:
    """Read the parameters of /stream: exchange, symbol=A,B, kinds=candle,status, last_event_id.

    The Last-Event-ID header wins over the parameter: a browser that reconnects sends the header with its newest id,
    and the address it was first given. Raises: RequestInvalid.
    """
    for name in query:
        if name not in _PARAMETERS:
            raise RequestInvalid(
                name, f"not a parameter of this stream; there are {', '.join(_PARAMETERS)}", _PARAMETERS
            )
    kinds = _names(query, "kinds")
    for kind in sorted(kinds or ()):
        if kind not in KINDS:
            raise RequestInvalid("kinds", f"{kind!r} is not one of {', '.join(KINDS)}", KINDS)
    exchange = query.get("exchange") or None
    if exchange is not None:
        _check_length("exchange", exchange)
    last_event_id = headers.get("Last-Event-ID") or query.get("last_event_id") or None
    return StreamRequest(exchange, _names(query, "symbol"), kinds, last_event_id)


def _names(query: Mapping[str, str], field: str) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in query.get(field, "").split(",")) - {""}
    if len(names) > SYMBOLS_MAX:
        raise RequestInvalid(field, f"more than {SYMBOLS_MAX} names; leave it out to get all")
    for name in names:
        _check_length(field, name)
    return names or None


def _check_length(field: str, name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX:
        raise RequestInvalid(field, f"a name is at most {NAME_CHARACTERS_MAX} characters long")
