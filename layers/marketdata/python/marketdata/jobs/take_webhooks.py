"""Take what webhooks bring: symbols, and ticks, of markets that are only pushed or of others. See functions/ingest."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from marketdata.clock import Clock
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.take_ticks import Changed, Taken, keep_pushed
from marketdata.model.instrument import Instrument
from marketdata.serve.pushed_ticks import SYMBOLS_MAX, read_items, read_symbols, read_ticks
from marketdata.serve.pushed_trades import Rejected
from marketdata.store.store import Store

INSTRUMENTS_MAX = 10_000
"""Markets that are only pushed: the database has numbers for 32,767 instruments, and others need some too."""


def take_webhook_ticks(
    store: Store,
    instruments: KnownInstruments,
    clock: Clock,
    body: bytes,
    *,
    ids_contiguous: Callable[[str], bool],
    changed: Changed = lambda _: None,
) -> Taken:
    """Keep the good ticks of `body` even if others are rejected; see take_ticks.

    A tick without an exchange is of the webhook's own markets. Raises: RequestInvalid, StoreError.
    """

    find = cache(_Finder(instruments).find)
    pushed, rejected = read_ticks(read_items(body), find, clock.now(), numbered=ids_contiguous)
    return keep_pushed(store, pushed, rejected, ids_contiguous=ids_contiguous, changed=changed)


class _Finder:
    """Finds the instruments of one request. What was just added, maybe elsewhere, is found: the store is asked once."""

    def __init__(self, instruments: KnownInstruments) -> None:
        self._instruments = instruments
        self._fresh = False

    def find(self, symbol: str, exchange: str | None) -> Instrument:
        """The instrument that a tick names. Raises: RequestInvalid, StoreError."""
        try:
            return self._find(symbol, exchange)
        except RequestInvalid:
            if self._fresh:
                raise
        self._instruments.refresh()
        self._fresh = True
        return self._find(symbol, exchange)

    def _find(self, symbol: str, exchange: str | None) -> Instrument:
        known = self._instruments
        found = known.find_pushed(symbol) if exchange is None else known.find(symbol, exchange)
        if found.pushed and not found.active:
            raise RequestInvalid("symbol", f"{found.symbol} is not active: POST it to /v1/webhooks/symbols")
        return found


def take_symbols(store: Store, body: bytes) -> Taken:
    """Add markets that are only pushed, or change what is said of them; the last word of one request holds.

    `duplicates` say what is said already. Raises: RequestInvalid, StoreError.
    """
    good, rejected = read_symbols(read_items(body, SYMBOLS_MAX))
    known = {one.key: one for one in store.instruments()}
    room = INSTRUMENTS_MAX - sum(one.pushed for one in known.values())
    changed: dict[tuple[str, str], Instrument] = {}
    accepted = duplicates = 0
    for one in good:
        held = known.get(one.instrument.key)
        told = _beside(held, one.instrument)
        if told == held:
            duplicates += 1
        elif held is None and room <= 0:
            rejected.append(Rejected(one.index, "symbol", f"is one too many: {INSTRUMENTS_MAX:,} are here already"))
        else:
            room -= held is None
            accepted += 1
            known[told.key] = changed[told.key] = told
    if changed:
        store.put_instruments(list(changed.values()))
    return Taken(accepted, duplicates, tuple(sorted(rejected, key=lambda one: one.index)))


def _beside(held: Instrument | None, told: Instrument) -> Instrument:
    """What a webhook does not say of an instrument stays as it is."""
    return told if held is None else replace(told, timeframes=held.timeframes, calendar=held.calendar)
