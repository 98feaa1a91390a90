"""Answers of candles as they go over HTTP: planned, validated, read, written, packed. Called by the api function.

`CandleAnswers.fingerprint` costs no row and `CandleAnswers.represent` makes the whole answer that has it: whoever keeps
answers keeps what the second gives under what the first says.
"""

from dataclasses import dataclass, replace

from marketdata.clock import Clock
from marketdata.jobs.candle_plan import CandlePlan
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_candles import find_candles, find_latest, plan_candles
from marketdata.model.instrument import Instrument
from marketdata.model.times import rfc3339
from marketdata.serve.candle_answer import CandleAnswer
from marketdata.serve.candle_parameters import too_large
from marketdata.serve.cursor import Cursors
from marketdata.serve.formats import RECORDS, Format
from marketdata.serve.negotiation import COMPRESSED_BYTES_MIN, Coding, compress
from marketdata.serve.params import CandleQuery
from marketdata.serve.representation import CARRIED_BYTES_MAX, Representation, carried_bytes, not_modified
from marketdata.serve.validator import fingerprint, held_lifetime, lifetime
from marketdata.store.store import Store

# Raised with whatever changes the bytes of an answer: copies of the old shape are then not called good.
SHAPE = "1"

_SMALLER_MAX = 6
_ROOM = 0.9


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """A question, and what the answer is to be like.

    `latest`: the newest candles, oldest first. `whole`: all of it or nothing, for callers who know of no next page.
    """

    query: CandleQuery
    format: Format = RECORDS
    coding: Coding = Coding.IDENTITY
    latest: bool = False
    whole: bool = False


class CandleAnswers:
    """Whoever asks over HTTP is answered from `store`."""

    def __init__(self, store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock) -> None:
        self._store = store
        self._instruments = instruments
        self._cursors = cursors
        self._clock = clock

    def answer(self, request: CandleRequest, if_none_match: str | None) -> Representation:
        """The answer, or the word that the caller's copy is still good: then no row was read.

        Raises: RequestInvalid, TooLarge, StoreError.
        """
        if if_none_match is not None:
            word = self.fingerprint(request)
            held = held_lifetime(if_none_match, word)
            if held is not None:
                return not_modified(word, held)
        return self.represent(request)

    def fingerprint(self, request: CandleRequest) -> str:
        """What the answer would be known by. Raises: RequestInvalid, StoreError."""
        plan = self._plan(request)
        return _word(request, plan, " ".join(plan.versions(self._store)))

    def represent(self, request: CandleRequest) -> Representation:
        """The answer. One that is too large for the gateway becomes a shorter page, or is refused if it must be whole.

        Raises: RequestInvalid, TooLarge, StoreError.
        """
        plan = self._plan(request)
        answer = self._find(request, plan)
        word = _word(request, plan, answer.version)
        body, coding = _written(answer, request)
        for _ in range(_SMALLER_MAX):
            size = carried_bytes(body)
            if request.whole and (size > CARRIED_BYTES_MAX or answer.next_cursor is not None):
                raise too_large(len(answer.rows))
            if size <= CARRIED_BYTES_MAX or len(answer.rows) <= 1:
                break
            smaller = max(1, int(len(answer.rows) * _ROOM * CARRIED_BYTES_MAX / size))
            request = replace(request, query=replace(request.query, limit=smaller))
            answer = self._find(request, self._plan(request))
            body, coding = _written(answer, request)
        condition = answer.condition
        return Representation(
            status=200,
            word=word,
            lifetime=self._lifetime(request, answer),
            content_type=request.format.content_type,
            body=body,
            coding=coding,
            condition=condition.name,
            coverage="" if condition.coverage is None else f"{condition.coverage:.6f}".rstrip("0").rstrip("."),
            next_cursor=answer.next_cursor,
        )

    def _plan(self, request: CandleRequest) -> CandlePlan:
        return plan_candles(self._store, self._instruments, self._cursors, self._clock, request.query)

    def _find(self, request: CandleRequest, plan: CandlePlan) -> CandleAnswer:
        if request.latest:
            return find_latest(self._store, plan)
        return find_candles(self._store, self._cursors, plan, request.query)

    def _lifetime(self, request: CandleRequest, answer: CandleAnswer) -> int:
        end = None if request.latest else request.query.end
        return lifetime(end, answer.timeframe, answer.condition, self._clock.now())


def question_of(request: CandleRequest, instrument: Instrument) -> str:
    """What is asked and how it is to be answered, in one spelling."""
    query = request.query
    return "\n".join(
        (
            SHAPE,
            query.question(instrument),
            f"{query.limit} {query.cursor} {request.latest} {request.whole}",
            f"{request.format.name} {request.coding} {query.view.spelling}",
            f"{instrument.simulated} {instrument.calendar}",
        )
    )


def _word(request: CandleRequest, plan: CandlePlan, version: str) -> str:
    return fingerprint(question_of(request, plan.instrument), rfc3339(plan.as_of), version)


def _written(answer: CandleAnswer, request: CandleRequest) -> tuple[bytes | str, Coding]:
    """The body as it is carried, and how it is packed."""
    body = request.format.write(answer)
    if request.coding is not Coding.IDENTITY and len(body) >= COMPRESSED_BYTES_MIN:
        return compress(body, request.coding), request.coding
    return (body.decode() if request.format.text else body), Coding.IDENTITY
