"""Quotas in the memory of one process; the same as the database's take_quota_v1, but bounded in names.

Safe to share between threads.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from marketdata.store.access import Grant

NAMES_MAX = 10_000


class MemoryQuotas:
    """Windows by name; of more names than NAMES_MAX the ones asked for longest ago are forgotten."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """See QuotaBook."""
        with self._lock:
            now = self._monotonic()
            ends, used = self._windows.pop(name, (now, 0))
            if ends <= now:
                ends, used = now + window_seconds, 0
            granted = max(0, min(wanted, quota - used))
            self._windows[name] = (ends, used + granted)
            if len(self._windows) > NAMES_MAX:
                self._windows.popitem(last=False)
            return Grant(granted, max(0, quota - used - granted), ends - now)
