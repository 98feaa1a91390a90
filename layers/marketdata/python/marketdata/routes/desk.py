"""What the routes of the api function answer from, made once a process."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from marketdata import wiring
from marketdata.clock import Clock
from marketdata.jobs.answer_candles import CandleAnswers
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.remember_candles import RememberedCandles
from marketdata.observe import count
from marketdata.serve.cursor import Cursors
from marketdata.settings import Settings
from marketdata.store.store import Store


@dataclass(frozen=True, slots=True)
class Desk:
    """The resolver that routes are given to, the store, and what is remembered between requests."""

    app: APIGatewayHttpResolver
    store: Store
    instruments: KnownInstruments
    cursors: Cursors
    clock: Clock
    candles: RememberedCandles

    @property
    def event(self) -> dict[str, Any]:
        """The request that is being answered."""
        event: dict[str, Any] = self.app.current_event.raw_event
        return event


def desk(app: APIGatewayHttpResolver, store: Store, settings: Settings, clock: Clock) -> Desk:
    """A desk over `store`."""
    instruments = KnownInstruments(store, clock)
    cursors = Cursors(settings.cursor_secret.reveal())
    answers = CandleAnswers(store, instruments, cursors, clock)
    remembered = wiring.remembered_answers(settings, store, failed=lambda: count("AnswersNotRemembered"))
    candles = RememberedCandles(answers, instruments, remembered)
    return Desk(app, store, instruments, cursors, clock, candles)
