"""What the routes of the api function answer from, made once a process."""

from typing import NamedTuple

from marketdata import wiring
from marketdata.clock import Clock
from marketdata.jobs.answer_candles import CandleAnswers
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.remember_candles import RememberedCandles
from marketdata.observe import count
from marketdata.serve.cursor import Cursors
from marketdata.serve.router import Router
from marketdata.settings import Settings
from marketdata.store.store import Store


class Desk(NamedTuple):
    """The router that routes are given to, the store, and what is remembered between requests."""

    router: Router
    store: Store
    settings: Settings
    clock: Clock
    instruments: KnownInstruments
    cursors: Cursors
    candles: RememberedCandles


def desk(router: Router, store: Store, settings: Settings, clock: Clock) -> Desk:
    """A desk over `store`."""
    instruments = KnownInstruments(store, clock)
    cursors = Cursors(settings.cursor_secret.reveal())
    answers = CandleAnswers(store, instruments, cursors, clock)
    remembered = wiring.remembered_answers(settings, store, failed=lambda: count("AnswersNotRemembered"))
    candles = RememberedCandles(answers, instruments, remembered)
    return Desk(router, store, settings, clock, instruments, cursors, candles)
