"""Answers of candles, given again for a few seconds unless the market changed. Called by the api function.

Whoever brings a validator is answered by the store, which then costs no row: what is kept is for those who bring none.
"""

import msgspec

from marketdata.jobs.answer_candles import CandleAnswers, CandleRequest, question_of
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.remember_answers import RememberedAnswers
from marketdata.serve.negotiation import Coding
from marketdata.serve.representation import Representation

_encode = msgspec.msgpack.Encoder().encode


class RememberedCandles:
    """`answers`, of which some are remembered; the answers are the same to the last byte."""

    def __init__(self, answers: CandleAnswers, instruments: KnownInstruments, remembered: RememberedAnswers) -> None:
        self._answers = answers
        self._instruments = instruments
        self._remembered = remembered

    def answer(self, request: CandleRequest, if_none_match: str | None) -> Representation:
        """See CandleAnswers.answer."""
        if if_none_match is not None:
            return self._answers.answer(request, if_none_match)
        instrument = self._instruments.find(request.query.symbol, request.query.exchange)
        made: list[Representation] = []

        def make() -> bytes:
            made.append(self._answers.represent(request))
            return _encode(made[0])

        question = question_of(request, instrument)
        kept, _ = self._remembered.answer(instrument.key, question, make)
        return made[0] if made else _decode(kept)


def _decode(kept: bytes) -> Representation:
    facts = msgspec.msgpack.decode(kept)
    return Representation(**{**facts, "coding": Coding(facts["coding"])})
