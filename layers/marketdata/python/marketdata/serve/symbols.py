"""Which instrument a caller means: symbols as exchanges spell them, or canonical, in any of the usual spellings."""

from collections.abc import Iterable, Sequence

from marketdata.errors import Ambiguous, NotFound
from marketdata.model.instrument import Instrument

CHOICES_MAX = 50

_SEPARATORS = str.maketrans("", "", "-_/ :.")


def find_instrument(instruments: Sequence[Instrument], symbol: str, exchange: str | None) -> Instrument:
    """The one instrument that `symbol` names, on `exchange` if that is given.

    `BTC-USD`, `btc/usd`, `BTC_USD`, `BTCUSD` and `tBTCUSD` are the same; a spelling that fits letter for letter comes
    first.
    Raises: NotFound naming what there is; Ambiguous naming the choices.
    """
    wanted = find_exchange(instruments, exchange) if exchange is not None else None
    offered = [one for one in instruments if wanted in {None, one.exchange}]
    exact = [one for one in offered if symbol.casefold() in {one.symbol.casefold(), one.canonical.casefold()}]
    typed = {_loose(symbol), _loose(_without_mark(symbol))}
    loose = [one for one in offered if typed & {_loose(one.symbol), _loose(one.canonical)}]
    found = exact or loose
    if not found:
        raise NotFound("symbol", f"{symbol[:64]!r} is not followed here", _names(offered))
    if len(found) > 1:
        raise Ambiguous("symbol", f"{symbol[:64]!r} names {len(found)} instruments; say which exchange", _names(found))
    return found[0]


def find_exchange(instruments: Iterable[Instrument], name: str) -> str:
    """The exchange of that name as we spell it. Raises: NotFound naming what there is."""
    known = sorted({one.exchange for one in instruments})
    for exchange in known:
        if exchange.casefold() == name.casefold():
            return exchange
    raise NotFound("exchange", f"{name[:64]!r} is not followed here", tuple(known[:CHOICES_MAX]))


def _names(instruments: Iterable[Instrument]) -> tuple[str, ...]:
    return tuple(f"{one.exchange}:{one.symbol}" for one in instruments)[:CHOICES_MAX]


def _without_mark(symbol: str) -> str:
    """Bitfinex marks what trades with a small t before capitals."""
    return symbol[1:] if symbol[:1] == "t" and symbol[1:].isupper() else symbol


def _loose(symbol: str) -> str:
    return symbol.casefold().translate(_SEPARATORS)
