"""Drain the queue of changed minutes until it is seen empty. Part of roll_up and of the gap scan."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from marketdata.clock import Clock
from marketdata.store.store import Store

ENTRIES_A_ROUND = 2_000
ROUNDS_MAX = 1_000
BUSY_SECONDS = 0.2

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Drained:
    """What was taken off the queue. `empty`: it was seen empty. `busy`: another drainer was at work at the last look.

    A round may take less than it was allowed though more is left: the database also stops at so much work.
    """

    entries: int
    rounds: int
    empty: bool
    busy: bool


def drain_queue(store: Store, clock: Clock, until: datetime, *, wait: bool, pause: Pause = time.sleep) -> Drained:
    """Drain until the queue is empty or `until` has come; at least one round. Raises: StoreError.

    Another drainer at work is waited for if `wait`; else it is left to its work.
    """
    entries = rounds = 0
    taken: int | None = None
    while rounds < ROUNDS_MAX:
        taken = store.roll_up(limit=ENTRIES_A_ROUND)
        rounds += 1
        entries += taken or 0
        if taken == 0 or clock.now() >= until or (taken is None and not wait):
            break
        if taken is None:
            pause(BUSY_SECONDS)
    return Drained(entries, rounds, empty=taken == 0, busy=taken is None)
