"""The scheduled backfill beside the kill rig's feed, as the house runs it: what a life could not mend is fetched here.

A hole too long to mend goes on the ledger, and from then on it is the mover's. History is not ordered: the rig compares
what was traded while it ran.
"""

import threading
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from marketdata import wiring
from marketdata.clock import Clock
from marketdata.errors import RemoteError, StoreError
from marketdata.jobs.backfill import run_backfill
from marketdata.jobs.fill_result import FillResult
from marketdata.settings import Settings
from marketdata.store.store import Store

RUN = timedelta(seconds=50)
"""So much of the market's time one run may take, as the schedule's would."""
REST_SECONDS = 1.0
STOP_SECONDS_MAX = 20.0


class KillMover:
    """Fills gaps of `store` in a thread for as long as the context lasts; `filled` counts those that are settled.

    `clock` is the market's, which passes `speed` times as fast as ours.
    """

    def __init__(self, store: Store, clock: Clock, settings: Settings, *, speed: float) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        fills = wiring.fill_settings(settings)
        # Leases are counted by the market's clock too.
        self._fills = replace(fills, lease_seconds=fills.lease_seconds * speed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mover", daemon=True)
        self.filled = 0
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        while not self._ended.wait(REST_SECONDS):
            try:
                self.filled += self._fill().filled
            except (RemoteError, StoreError) as error:
                # The next run comes whatever happened to this one, as the schedule's would.
                self.complaints.append(str(error))

    def _fill(self) -> FillResult:
        return run_backfill(
            self._store,
            self._clock,
            self._clock.now() + RUN,
            open_past=wiring.pasts(self._settings, self._store),
            settings=self._fills,
        )
