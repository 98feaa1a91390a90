"""Holdings and figures in the Supabase store, over PostgREST; their shapes are imported when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketdata.store.limits import check_held
from marketdata.store.wire import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from marketdata.model.instrument import Instrument
    from marketdata.store.figures import Figures, Holding
    from marketdata.store.instrument_numbers import InstrumentNumbers
    from marketdata.store.patient_client import PatientClient


class SupabaseFigures:
    """The part of the Store protocol that is about the whole."""

    _client: PatientClient
    _numbers: InstrumentNumbers

    def holdings(self, instruments: Sequence[Instrument]) -> list[Holding]:
        """See Store. Raises: also RequestInvalid for too many."""
        from marketdata.store.figure_rows import HoldingColumns  # noqa: PLC0415

        check_held(len(instruments))
        known = self._numbers.of_all("holdings", {one.key for one in instruments})
        numbered = {known[one.key]: one for one in instruments}
        arguments = {"p_instrument_ids": list(numbered)}
        return self._client.call("holdings", "get_holdings_v1", arguments, HoldingColumns).holdings(numbered)

    def figures(self, *, now: datetime) -> Figures:
        """See Store."""
        from marketdata.store.figure_rows import FigureColumns  # noqa: PLC0415

        told = self._client.call("figures", "get_figures_v1", {"p_now": time_text(now)}, FigureColumns)
        return told.figures(self._numbers.instruments("figures"))
