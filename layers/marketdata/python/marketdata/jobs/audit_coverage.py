"""Hold coverage to the rows, because scans and answers go by coverage. Nightly: months by month, newest first.

What goes past the writers' triggers (a partition dropped or attached, a truncate, a restored backup) leaves coverage
saying what is not so. Each difference is told and queued for the next drain, and a scan then finds what is missing.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.store.limits import AUDITED_MAX
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

LISTED_MAX = 100


@dataclass(slots=True)
class CoverageAuditResult:
    """One audit. `spans` months of instruments were compared, `left` were not for want of time.

    `faults` stretches were wrong and are queued for repair; the first hundred are listed.
    """

    spans: int = 0
    left: int = 0
    faults: int = 0
    listed: list[dict[str, object]] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """As JSON shows it."""
        return {"spans": self.spans, "left": self.left, "faults": self.faults, "listed": self.listed}


def coverage_audit(
    store: Store, clock: Clock, deadline: datetime, *, history: timedelta = timedelta(days=365)
) -> dict[str, object]:
    """The audit as a job. Raises: StoreError."""
    return audit_coverage(store, clock, deadline, history=history).document()


def audit_coverage(
    store: Store, clock: Clock, deadline: datetime, *, history: timedelta, repair: bool = True
) -> CoverageAuditResult:
    """Compare what coverage says of the last `history` with the rows until `deadline`; at least one month of one.

    Raises: StoreError.
    """
    result = CoverageAuditResult()
    instruments = store.instruments()
    for span in _months(clock.now(), history):
        for instrument in instruments:
            if result.spans and clock.now() >= deadline:
                result.left += 1
                continue
            found = store.audit_coverage(instrument, span, repair=repair)
            result.spans += 1
            result.faults += found.total
            if found.total:
                where = {"exchange": instrument.exchange, "symbol": instrument.symbol}
                logger.warning("coverage is not what the rows say", extra=where | {"faults": found.total})
                told = ({**where, **_fact(fault.timeframe.name, fault.span, fault.held)} for fault in found.faults)
                result.listed += [fact for fact, _ in zip(told, range(LISTED_MAX - len(result.listed)), strict=False)]
    return result


def _fact(timeframe: str, span: Span, held: bool) -> dict[str, object]:
    return {"timeframe": timeframe, "start": rfc3339(span.start), "end": rfc3339(span.end), "held": held}


def _months(now: datetime, history: timedelta) -> Iterator[Span]:
    """Spans that one question may be about, newest first."""
    end = now
    while end > now - history:
        start = max(now - history, end - AUDITED_MAX)
        yield Span(start, end)
        end = start
