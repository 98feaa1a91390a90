"""The gap ledger of the Supabase store: the arguments and answers of the database's functions for it (migrations/)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from marketdata.compute.coverage import union
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.store import wire
from marketdata.store.gap_rows import FoundGaps, GapRow
from marketdata.store.instrument_numbers import InstrumentNumbers
from marketdata.store.limits import check_limit
from marketdata.store.patient_client import PatientClient

SPANS_A_CALL_MAX = 1_000
"""Spans recorded by one call: far below the statement timeout."""

_MICROSECOND = timedelta(microseconds=1)


class SupabaseLedger:
    """The part of the Store protocol that is about gaps."""

    _client: PatientClient
    _numbers: InstrumentNumbers

    def record_gaps(
        self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span], *, cause: str, found_at: datetime
    ) -> int:
        """See Store. After a StoreError some may be there."""
        arguments = {
            "p_instrument_id": self._numbers.of("record_gaps", instrument),
            "p_timeframe": timeframe.minutes,
            "p_cause": cause,
            "p_found_at": wire.time_text(found_at),
        }
        whole, changed = union(spans), 0
        for start in range(0, len(whole), SPANS_A_CALL_MAX):
            ranges = wire.multirange(whole[start : start + SPANS_A_CALL_MAX])
            changed += self._client.call("record_gaps", "record_gaps_v2", {**arguments, "p_spans": ranges}, int)
        return changed

    def gaps(
        self,
        *,
        states: Collection[GapState] | None = None,
        instrument: Instrument | None = None,
        limit: int,
        after_id: int | None = None,
    ) -> list[Gap]:
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_states": None if states is None else sorted(states),
            "p_instrument_id": self._number("gaps", instrument),
            "p_after_id": after_id,
            "p_limit": limit,
        }
        return [row.gap for row in self._client.call("gaps", "get_gaps_v1", arguments, list[GapRow])]

    def claim_gaps(
        self, worker: str, *, now: datetime, lease_seconds: float, limit: int, exchange: str | None = None
    ) -> list[Gap]:
        """See Store. An answer that was lost on the way is asked for again; the first leases then run out unused."""
        check_limit(limit)
        arguments = {
            "p_worker": worker,
            "p_now": wire.time_text(now),
            "p_lease_seconds": lease_seconds,
            "p_limit": limit,
            "p_exchange": exchange,
        }
        return [row.gap for row in self._client.call("claim_gaps", "claim_gaps_v2", arguments, list[GapRow])]

    def resolve_gap(self, gap: Gap, *, state: GapState, now: datetime, reason: str = "") -> bool:
        """See Store."""
        arguments = {**_lease(gap), "p_state": state, "p_now": wire.time_text(now), "p_reason": reason}
        return self._client.call("resolve_gap", "resolve_gap_v1", arguments, bool)

    def release_gap(
        self,
        gap: Gap,
        *,
        now: datetime,
        retry_at: datetime,
        reason: str,
        remaining: Sequence[Span] | None = None,
        untouched: Sequence[Span] = (),
    ) -> bool:
        """See Store."""
        arguments = {
            **_lease(gap),
            "p_now": wire.time_text(now),
            "p_retry_at": wire.time_text(retry_at),
            "p_reason": reason,
            "p_remaining": None if remaining is None else wire.multirange(union(remaining)),
            "p_untouched": wire.multirange(union(untouched)),
        }
        return self._client.call("release_gap", "release_gap_v2", arguments, bool)

    def find_gaps(
        self, *, now: datetime, history: timedelta, grace: timedelta, instrument: Instrument | None = None
    ) -> list[tuple[Instrument, Span]]:
        """See Store."""
        arguments = {
            "p_now": wire.time_text(now),
            "p_history": f"{history // _MICROSECOND} microseconds",
            "p_grace": f"{grace // _MICROSECOND} microseconds",
            "p_instrument_id": self._number("find_gaps", instrument),
        }
        return self._found("find_gaps", self._client.call("find_gaps", "find_gaps_v1", arguments, FoundGaps))

    def find_history(self, *, now: datetime, history: timedelta) -> list[tuple[Instrument, Span]]:
        """See Store."""
        arguments = {"p_now": wire.time_text(now), "p_history": f"{history // _MICROSECOND} microseconds"}
        found = self._client.call("find_history", "find_history_v1", arguments, FoundGaps)
        return self._found("find_history", found)

    def close_covered_gaps(self, *, now: datetime) -> int:
        """See Store."""
        arguments = {"p_now": wire.time_text(now)}
        return self._client.call("close_covered_gaps", "close_covered_gaps_v1", arguments, int)

    def _found(self, operation: str, found: FoundGaps) -> list[tuple[Instrument, Span]]:
        known = self._numbers.instruments(operation) if found.instrument_id else {}
        spans = wire.spans(list(zip(found.start, found.end, strict=True)))
        gaps = [(known[number], span) for number, span in zip(found.instrument_id, spans, strict=True)]
        # They come in order of time within each instrument, and sorting keeps that.
        return sorted(gaps, key=lambda gap: gap[0].key)

    def mark_closed(self, instrument: Instrument, spans: Sequence[Span], *, now: datetime) -> int:
        """See Store. After a StoreError some may be there."""
        number = self._numbers.of("mark_closed", instrument)
        whole, changed = union(spans), 0
        for start in range(0, len(whole), SPANS_A_CALL_MAX):
            ranges = wire.multirange(whole[start : start + SPANS_A_CALL_MAX])
            arguments = {"p_instrument_id": number, "p_spans": ranges, "p_now": wire.time_text(now)}
            changed += self._client.call("mark_closed", "mark_closed_v1", arguments, int)
        return changed

    def _number(self, operation: str, instrument: Instrument | None) -> int | None:
        return None if instrument is None else self._numbers.of(operation, instrument)


def _lease(gap: Gap) -> dict[str, object]:
    """What proves to the database that a lease is held."""
    return {"p_id": gap.id, "p_worker": gap.worker, "p_attempts": gap.attempts}
