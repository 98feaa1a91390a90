"""When markets were renamed or delisted, because history keeps the name of its time. Pure.

Used when something is added to what is followed, and to tell why something ended (jobs/sync_instruments). What is not
here is found by its absence from the exchange's list, with the day on which that was seen. Source: announcements of the
exchanges, named at each row; times are UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from marketdata.errors import NotFound
from marketdata.exchanges.symbols import Pair


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """On one exchange `old` was traded until `ended`; `new` is what it is called since `began`, if it goes on."""

    exchange: str
    old: Pair
    new: Pair | None
    ended: datetime
    began: datetime | None = None


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def _renamed(exchange: str, names: tuple[str, str], quotes: str, ended: str, began: str) -> list[SymbolChange]:
    """Every market of one currency under its new name."""
    old, new = names
    return [
        SymbolChange(exchange, Pair(old, quote), Pair(new, quote), _utc(ended), _utc(began)) for quote in quotes.split()
    ]


def _delisted(exchange: str, pairs: str, ended: str) -> list[SymbolChange]:
    return [
        SymbolChange(exchange, Pair(base, quote), None, _utc(ended))
        for base, _, quote in (pair.partition("-") for pair in pairs.split())
    ]


CHANGES: tuple[SymbolChange, ...] = (
    # Binance will support the Polygon (MATIC) token swap, August 2024.
    *_renamed(
        "binance",
        ("MATIC", "POL"),
        "BNB BRL BTC ETH EUR FDUSD JPY TRY USDC USDT",
        "2024-09-10 03:00",
        "2024-09-13 10:00",
    ),
    # Binance will delist KP3R, OOKI, UNFI and IDRT, October 2024.
    *_delisted("binance", "KP3R-USDT OOKI-USDT UNFI-BTC UNFI-TRY UNFI-USDT USDT-IDRT", "2024-11-06 03:00"),
    # Binance will delist GFT, IRIS, KEY, OAX and REN, November 2024.
    *_delisted("binance", "GFT-USDT IRIS-USDT KEY-USDT OAX-BTC OAX-USDT REN-BTC REN-USDT", "2024-12-10 03:00"),
    # Binance will support the Fantom (FTM) token swap and rebranding to Sonic, December 2024.
    *_renamed("binance", ("FTM", "S"), "BNB BTC ETH EUR FDUSD TRY USDC USDT", "2025-01-13 03:00", "2025-01-16 08:00"),
    # Binance will support the STPT token swap and rebranding to AWE Network, May 2025.
    *_renamed("binance", ("STPT", "AWE"), "BTC USDT", "2025-05-19 03:00", "2025-05-21 08:00"),
)


def name_at(exchange: str, pair: Pair, time: datetime, changes: tuple[SymbolChange, ...] = CHANGES) -> Pair:
    """What a market was called at `time`, by the name of any time. Raises: NotFound while it had none, saying when."""
    for change in changes:
        if change.exchange != exchange.partition("-")[0] or pair not in (change.old, change.new):
            continue
        if time < change.ended:
            return change.old
        if change.new is not None and change.began is not None and time >= change.began:
            return change.new
        goes_on = f"; it goes on as {change.new} from {change.began:%Y-%m-%d %H:%M} UTC" if change.began else ""
        raise NotFound("symbol", f"{change.old} ended on {exchange} at {change.ended:%Y-%m-%d %H:%M} UTC{goes_on}")
    return pair
