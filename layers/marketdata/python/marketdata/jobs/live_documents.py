"""What the live hub carries, encoded once: the same records as the API's, so that a client reads one shape."""

import msgspec

from marketdata.compute.bars import Change
from marketdata.serve.candles_json import candle_record
from marketdata.store.answers import FeedStatus

_encode = msgspec.json.Encoder().encode


def candle_document(change: Change, *, simulated: bool) -> bytes:
    """A candle as in /v1/candles, plus `closed`: the exchange's time has passed its end."""
    return _encode({**candle_record(change.candle, simulated), "closed": change.closed})


def status_document(status: FeedStatus) -> bytes:
    """What a feed says of one exchange."""
    return _encode(status)
