"""One exchange's budget, shared through the store by every worker that asks it: the feed, jobs, commands.

A worker takes its turn where all others take theirs, on the store's clock, and an exchange that asks one of them for
silence is left alone by all within TURN_SECONDS_MAX. Turns are reserved a few at a time, to spare round trips, and only
when they are near, so that nobody sleeps through another's silence. While the store does not answer, each worker keeps
to its own share.
"""

import logging
from collections import deque
from collections.abc import Callable
from math import ceil, inf
from threading import Lock

from marketdata.errors import StoreError
from marketdata.model.budget import Turn
from marketdata.net.rest import PacedBudget
from marketdata.store.work import WorkStore

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.25
"""So much of the pace is reserved at once by whoever uses up what it reserves."""
TURN_SECONDS_MAX = 0.5
"""A turn reserved longer ago is let go: the exchange may have asked another for silence since."""
ALONE_SHARE = 0.25
"""The part of the pace that is a worker's own: at most the feed, a job, the cron door and an operator ask at once."""
STORE_RETRY_SECONDS = 5.0
_LOOK_SECONDS_MIN = 0.1


class SharedBudget:
    """A `net.rest.Budget`, safe to share between threads. `patience_seconds` is how long its caller waits for a turn.

    `store` should answer or give up soon. `monotonic` counts seconds, `sleep` waits until a turn is near.
    """

    def __init__(
        self,
        exchange: str,
        store: WorkStore,
        *,
        per_second: float,
        burst: int,
        patience_seconds: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._exchange = exchange
        self._store = store
        self._per_second = per_second
        self._burst = burst
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._own = PacedBudget(per_second, burst, monotonic)
        self._alone = PacedBudget(per_second * ALONE_SHARE, 1, monotonic)
        self._lock = Lock()
        self._turns: deque[float] = deque()
        self._batch = 1
        self._reserved_at = -inf
        self._silent_until = -inf
        self._unsaid: str | None = None
        """Why the exchange asked for silence, while the store has not heard of it."""
        self._away = False
        self._ask_again_at = -inf

    def take(self, weight: int = 1) -> float:
        """Reserve one request; the seconds to wait before it. More than the patience: it cannot be made now.

        A heavy one takes as many turns as it weighs, and waits for the last of them.
        """
        for left in range(weight, 0, -1):
            wait = self._take_one(left)
            if wait > self._patience_seconds:
                break
        return wait

    def _take_one(self, wanted: int) -> float:
        until = self._monotonic() + self._patience_seconds
        while True:
            wait, reserved = self._turn(wanted)
            if reserved:
                return wait
            if self._monotonic() + wait > until:
                return max(wait, self._patience_seconds + _LOOK_SECONDS_MIN)
            self._sleep(max(_LOOK_SECONDS_MIN, wait - TURN_SECONDS_MAX))

    def block(self, seconds: float, reason: str = "") -> None:
        """The exchange asked for silence: nobody asks it for so long."""
        with self._lock:
            self._hush(self._monotonic() + seconds)
            self._unsaid = reason
            self._tell()

    def _turn(self, wanted: int) -> tuple[float, bool]:
        """The seconds to wait, and whether that was for a turn of ours; of new ones, `wanted` are reserved at once."""
        with self._lock:
            now = self._monotonic()
            if now < self._silent_until:
                self._tell()
                return self._silent_until - now, False
            if self._reserved_at + TURN_SECONDS_MAX < now:
                self._turns.clear()
            if not self._turns and (wait := self._reserve(now, wanted)) > 0:
                return wait, False
            turn = self._turns.popleft() if self._turns else now + self._alone.take()
            return max(0.0, turn - self._monotonic(), self._own.take()), True

    def _reserve(self, now: float, wanted: int) -> float:
        """Reserve the next turns; the seconds after which to try again, 0 if there is no need to."""
        if now < self._ask_again_at:
            return 0.0
        used_up = not self._turns and now <= self._reserved_at + TURN_SECONDS_MAX
        grown = min(2 * self._batch, max(1, ceil(self._per_second * BATCH_SECONDS))) if used_up else 1
        self._batch = max(wanted, grown)
        try:
            turn = self._store.take_requests(
                self._exchange,
                per_second=self._per_second,
                burst=self._burst,
                count=self._batch,
                wait_seconds_max=TURN_SECONDS_MAX,
            )
        except StoreError as error:
            self._lost_sight(error)
            return 0.0
        self._in_sight()
        return self._granted(turn)

    def _granted(self, turn: Turn) -> float:
        replied_at = self._monotonic()
        if turn.blocked_seconds > 0:
            self._hush(replied_at + turn.blocked_seconds)
            return turn.blocked_seconds
        if turn.starts_in > TURN_SECONDS_MAX:
            return turn.starts_in
        self._reserved_at = replied_at
        places = range(self._batch)
        self._turns.extend(replied_at + max(0.0, turn.starts_in + place / self._per_second) for place in places)
        return 0.0

    def _hush(self, until: float) -> None:
        self._silent_until = max(self._silent_until, until)
        self._turns.clear()

    def _tell(self) -> None:
        """Let the store know of a silence that it has not heard of."""
        seconds = self._silent_until - self._monotonic()
        if self._unsaid is None or self._monotonic() < self._ask_again_at:
            return
        try:
            self._store.block_exchange(self._exchange, seconds=max(0.0, seconds), reason=self._unsaid)
        except StoreError as error:
            self._lost_sight(error)
        else:
            self._unsaid = None
            self._in_sight()

    def _lost_sight(self, error: StoreError) -> None:
        self._ask_again_at = self._monotonic() + STORE_RETRY_SECONDS
        if not self._away:
            self._away = True
            facts = {"exchange": self._exchange, "reason": error.reason}
            logger.warning("the shared budget cannot be asked, so a share of it is kept to", extra=facts)

    def _in_sight(self) -> None:
        if self._away:
            self._away = False
            logger.info("the shared budget is asked again", extra={"exchange": self._exchange})
