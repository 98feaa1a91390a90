"""The store that the system runs on: Supabase, spoken to over PostgREST.

Each part of the protocol is a file of its own; here they are one. Every failure becomes a StoreError.
"""

import time
from collections.abc import Callable, Sequence

from marketdata.errors import StoreError
from marketdata.model.instrument import Instrument
from marketdata.store.answers import FeedStatus
from marketdata.store.batches import batches
from marketdata.store.feed_rows import FeedRow, feed_row
from marketdata.store.http_line import HttpLine
from marketdata.store.instrument_numbers import InstrumentNumbers
from marketdata.store.instrument_rows import instrument_row
from marketdata.store.patient_client import PatientClient
from marketdata.store.supabase_access import SupabaseAccess
from marketdata.store.supabase_alerts import SupabaseAlerts
from marketdata.store.supabase_answers import SupabaseAnswers
from marketdata.store.supabase_exports import SupabaseExports
from marketdata.store.supabase_figures import SupabaseFigures
from marketdata.store.supabase_ledger import SupabaseLedger
from marketdata.store.supabase_news import SupabaseNews
from marketdata.store.supabase_pushed_ticks import SupabasePushedTicks
from marketdata.store.supabase_snapshots import SupabaseSnapshots
from marketdata.store.supabase_statistics import SupabaseStatistics
from marketdata.store.supabase_work import SupabaseWork

TIMEOUT_SECONDS = 10.0
ATTEMPTS_MAX = 3
HASTY_SECONDS = 2.0
"""For questions that are no use answered late: they are asked once."""


class SupabaseStore(
    SupabasePushedTicks,
    SupabaseLedger,
    SupabaseWork,
    SupabaseSnapshots,
    SupabaseAnswers,
    SupabaseAccess,
    SupabaseExports,
    SupabaseStatistics,
    SupabaseFigures,
    SupabaseAlerts,
    SupabaseNews,
):
    """The Store protocol on a Supabase project; safe to share between threads.

    `url` is the project's (https://….supabase.co), `key` its service key. `line` and `sleep` are for those who need
    another way there or no waiting; a given `line` is closed with the store.
    Raises: StoreError for a key that cannot be one.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        attempts_max: int = ATTEMPTS_MAX,
        line: HttpLine | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = PatientClient(
            url, key, timeout_seconds=timeout_seconds, attempts_max=attempts_max, line=line, sleep=sleep
        )
        self._hasty_client = PatientClient(
            url, key, timeout_seconds=min(timeout_seconds, HASTY_SECONDS), attempts_max=1, line=line, sleep=sleep
        )
        self._numbers = InstrumentNumbers(self._client)

    def close(self) -> None:
        """Close the connections; the store is of no use afterwards."""
        self._client.close()
        self._hasty_client.close()

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """See Store."""
        found = self._numbers.instruments("instruments").values()
        return sorted((one for one in found if one.active or not active_only), key=lambda one: one.key)

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """See Store."""
        by_key = {instrument.key: instrument for instrument in instruments}
        prepared = [instrument_row(by_key[key]) for key in sorted(by_key)]
        for batch in batches(prepared):
            self._client.upsert("put_instruments", "instruments", batch, on_conflict="exchange,symbol")

    def put_feed_status(self, status: FeedStatus) -> None:
        """See Store."""
        self._client.upsert("put_feed_status", "feeds", [feed_row(status)], on_conflict="exchange,feed_id")

    def feed_statuses(self) -> list[FeedStatus]:
        """See Store."""
        key = ("exchange", "feed_id")
        found = self._client.select_all("feed_statuses", "feeds", key, FeedRow)
        by_name = sorted((row.status for row in found), key=lambda status: (status.exchange, status.feed_id))
        return sorted(by_name, key=lambda status: status.updated_at, reverse=True)

    def ping(self) -> None:
        """See Store."""
        if self._client.call("ping", "schema_version_v1", {}, object) is None:
            raise StoreError("ping", "the database has no schema; apply the migrations")
