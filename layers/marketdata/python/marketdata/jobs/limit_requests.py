"""How much each caller may ask: counted with all instances where a shared book answers, by this process alone else.

A shared book that is far away is asked for several requests at once: one at first, twice as many each time while they
are used up, so that a busy caller costs a question in thirty. A book that is down limits nobody out: this process
counts alone, says so once and as a metric, and asks it again after a while.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from threading import Lock

from msgspec import Struct

from marketdata.errors import StoreError
from marketdata.store.access import Grant, QuotaBook
from marketdata.store.quota_book import NAMES_MAX

logger = logging.getLogger(__name__)

BATCHES_A_WINDOW = 20
"""At most a twentieth of a quota lies with one instance, unused."""
RETRY_SECONDS = 5.0


class Policy(Struct, frozen=True):
    """`quota` requests of each caller in `window_seconds`; `name` tells policies apart."""

    name: str
    quota: int
    window_seconds: int = 60


class Standing(Struct, frozen=True):
    """Whether a caller may go on, how many requests are left, and the seconds until the quota is whole again."""

    policy: Policy
    allowed: bool
    left: int
    reset_seconds: float


class _Held(Struct):
    """Requests of one caller that this process took and has not used, as of when the window ends."""

    tokens: int = 0
    left: int = 0
    ends: float = float("-inf")
    batch: int = 1


class RequestLimits:
    """The quotas of all callers; safe to share between threads. `shared` None counts in this process alone.

    `batches`: whether `shared` is far. `failed` hears of every request that could not be counted with the others.
    """

    def __init__(
        self,
        shared: QuotaBook | None,
        own: QuotaBook,
        monotonic: Callable[[], float],
        *,
        batches: bool,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._shared = shared
        self._own = own
        self._monotonic = monotonic
        self._batches = batches
        self._failed = failed
        self._lock = Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._away_until = float("-inf")

    def take(self, caller: str, policy: Policy) -> Standing:
        """Count one request of `caller`."""
        name = f"{policy.name}:{caller}"
        with self._lock:
            now = self._monotonic()
            held = self._held.pop(name, None) or _Held()
            self._held[name] = held
            if len(self._held) > NAMES_MAX:
                self._held.popitem(last=False)
            if now >= held.ends:
                held.tokens, held.left, held.batch = 0, 0, 1
            if held.tokens == 0 and (now >= held.ends or held.left > 0):
                self._fetch(name, held, policy, now)
            allowed = held.tokens > 0
            held.tokens -= allowed
            return Standing(policy, allowed, held.tokens + held.left, max(0.0, held.ends - now))

    def _fetch(self, name: str, held: _Held, policy: Policy, now: float) -> None:
        grant = self._take(name, policy, min(held.batch, ceil(policy.quota / BATCHES_A_WINDOW)), now)
        held.tokens, held.left, held.ends = grant.granted, grant.left, now + grant.reset_seconds
        held.batch = held.batch * 2 if self._batches else 1

    def _take(self, name: str, policy: Policy, wanted: int, now: float) -> Grant:
        if self._shared is not None and now >= self._away_until:
            try:
                return self._shared.take_quota(
                    name, quota=policy.quota, window_seconds=policy.window_seconds, wanted=wanted
                )
            except StoreError as error:
                self._away_until = now + RETRY_SECONDS
                logger.warning("requests are counted by this process alone", extra={"reason": error.reason})
        if self._shared is not None:
            self._failed()
        return self._own.take_quota(name, quota=policy.quota, window_seconds=policy.window_seconds)
