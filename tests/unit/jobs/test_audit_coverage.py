"""The audit of coverage: every month of every instrument, newest first, as far as there is time."""

from datetime import datetime, timedelta

from marketdata.clock import FakeClock
from marketdata.jobs.audit_coverage import audit_coverage
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.answers import CoverageAudit, CoverageFault
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, MINUTE, a_store, at, minutes

NOON = at("12:00")
YEAR = timedelta(days=365)


class WrongStore(MemoryStore):
    """A store that finds one fault in each month of BTC-USD, and takes a second over each question."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.asked: list[tuple[str, Span, bool]] = []
        self.put_instruments([BTC, ETH])

    def audit_coverage(self, instrument: Instrument, span: Span, *, repair: bool = True) -> CoverageAudit:
        self.clock.advance(timedelta(seconds=1))
        self.asked.append((instrument.symbol, span, repair))
        wrong = CoverageFault(M1, Span(span.start, span.start + MINUTE), held=False)
        return CoverageAudit((wrong,), 1) if instrument == BTC else CoverageAudit()


def run(deadline: datetime, *, repair: bool = True) -> tuple[dict[str, object], WrongStore]:
    clock = FakeClock(NOON)
    store = WrongStore(clock)
    return audit_coverage(store, clock, deadline, history=YEAR, repair=repair).document(), store


def test_all_history_is_compared_newest_first_and_what_is_wrong_is_listed() -> None:
    result, store = run(NOON + MINUTE)
    of_btc = [span for symbol, span, _ in store.asked if symbol == "BTC-USD"]
    assert (of_btc[0].end, of_btc[-1].start) == (NOON, NOON - YEAR)
    assert [one.start for one in of_btc[:-1]] == [one.end for one in of_btc[1:]]
    assert (result["spans"], result["left"], result["faults"]) == (24, 0, 12)
    assert isinstance(result["listed"], list)
    assert result["listed"][0] == {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "start": "2026-07-09T12:00:00Z",
        "end": "2026-07-09T12:01:00Z",
        "held": False,
    }


def test_what_there_was_no_time_for_is_counted() -> None:
    result, _ = run(NOON + timedelta(seconds=5))
    assert (result["spans"], result["left"]) == (5, 19)
    assert run(NOON)[0]["spans"] == 1, "each run gets somewhere"


def test_a_dry_run_repairs_nothing() -> None:
    assert {repair for *_, repair in run(NOON + MINUTE, repair=False)[1].asked} == {False}


def test_a_sound_store_has_no_faults() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "11:00"))
    assert audit_coverage(store, FakeClock(NOON), NOON + MINUTE, history=YEAR).faults == 0
