"""Which instrument a caller means: symbols as exchanges spell them, or canonical, in any of the usual spellings."""

from collections.abc import Iterable, Sequence

from marketdata.errors import Ambiguous, NotFound
from marketdata.model.instrument import Instrument

CHOICES_MAX = 50

_SEPARATORS = str.maketrans("", "", "-_/ :.")


def find_instrument(instruments: Sequence[Instrument], symbol: str, exchange: str | None) -> Instrument:
    """The one instrument that `symbol` names, on `exchange` if that is given.

    `BTC-USD`, `btc/usd`, `BTC_USD` and `BTCUSD` are the same; a spelling that fits letter for letter comes first.
    Raises: NotFound naming what there is; Ambiguous naming the choices.
    """
    offered = _of_exchange(instruments, exchange)
    exact = [one for one in offered if symbol.casefold() in {one.symbol.casefold(), one.canonical.casefold()}]
    loose = [one for one in offered if _loose(symbol) in {_loose(one.symbol), _loose(one.canonical)}]
    found = exact or loose
    if not found:
        raise NotFound("symbol", f"{symbol[:64]!r} is not followed here", _names(offered))
    if len(found) > 1:
        raise Ambiguous("symbol", f"{symbol[:64]!r} names {len(found)} instruments; say which exchange", _names(found))
    return found[0]


def _of_exchange(instruments: Sequence[Instrument], exchange: str | None) -> Sequence[Instrument]:
    if exchange is None:
        return instruments
    offered = [one for one in instruments if one.exchange.casefold() == exchange.casefold()]
    if not offered:
        known = tuple(sorted({one.exchange for one in instruments}))[:CHOICES_MAX]
        raise NotFound("exchange", f"{exchange[:64]!r} is not followed here", known)
    return offered


def _names(instruments: Iterable[Instrument]) -> tuple[str, ...]:
    return tuple(f"{one.exchange}:{one.symbol}" for one in instruments)[:CHOICES_MAX]


def _loose(symbol: str) -> str:
    return symbol.casefold().translate(_SEPARATORS)
