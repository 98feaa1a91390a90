"""Compare what is followed of an exchange with what it lists. Run by `marketdata instruments sync`.

What is no longer listed is no longer followed, its data stays; names of currencies are corrected. Nothing that nobody
asked for is added or followed again: it is only named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from marketdata.errors import RemoteUnavailable
from marketdata.exchanges.listings import Listing
from marketdata.exchanges.symbol_changes import CHANGES, SymbolChange
from marketdata.exchanges.symbols import Pair
from marketdata.model.instrument import Instrument
from marketdata.store.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """What a sync would change, and why, each with its instrument as it will be."""

    listed: int
    ended: tuple[tuple[Instrument, str], ...] = ()
    corrected: tuple[Instrument, ...] = ()
    unfollowed: tuple[Listing, ...] = ()
    """Open for trading there, and not known here."""

    @property
    def changes(self) -> list[Instrument]:
        """The instruments as they will be."""
        return [*(instrument for instrument, _ in self.ended), *self.corrected]


def compare_listings(
    known: Sequence[Instrument],
    exchange: str,
    listings: Sequence[Listing],
    now: datetime,
    changes: Sequence[SymbolChange] = CHANGES,
) -> Difference:
    """What differs between what is known of `exchange` and its listings.

    Raises: RemoteUnavailable while nothing at all trades there: maintenance is no end.
    """
    if not any(one.trading for one in listings):
        raise RemoteUnavailable(exchange, f"nothing trades of {len(listings)} listed: that is maintenance, and no end")
    listed = {one.symbol: one for one in listings}
    ours = [one for one in known if one.exchange == exchange]
    ended, corrected = [], []
    for instrument in ours:
        listing = listed.get(instrument.symbol)
        if instrument.active and (listing is None or not listing.trading):
            ended.append((replace(instrument, active=False), _why(instrument, listing, now, changes)))
        elif listing is not None and (listing.base, listing.quote) != (instrument.base, instrument.quote):
            corrected.append(replace(instrument, base=listing.base, quote=listing.quote))
    names = {one.symbol for one in ours}
    unfollowed = tuple(one for one in listings if one.trading and one.symbol not in names)
    return Difference(len(listings), tuple(ended), tuple(corrected), unfollowed)


def sync_instruments(store: Store, difference: Difference) -> None:
    """Write the changes. Raises: StoreError."""
    if difference.changes:
        store.put_instruments(difference.changes)


def _why(instrument: Instrument, listing: Listing | None, now: datetime, changes: Sequence[SymbolChange]) -> str:
    pair = Pair(instrument.base, instrument.quote)
    for change in changes:
        if change.exchange == instrument.exchange.partition("-")[0] and change.old == pair:
            successor = f", goes on as {change.new}" if change.new else ""
            return f"ended {change.ended:%Y-%m-%d}{successor}"
    seen = f"seen {now:%Y-%m-%d}"
    return f"no longer listed, {seen}" if listing is None else f"trading is halted, {seen}"
