"""Drain the queue of changed minutes into coarser candles, keep room for the days to come, forget what is too old.

Runs every minute.
"""

from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.jobs.drain_queue import drain_queue
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

# A missed run must not leave writers without room: a week of runs may fail first.
ROOM_BEHIND = timedelta(days=1)
ROOM_AHEAD = timedelta(days=7)


def roll_up(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
    """Drain until the queue is empty, another drainer is at work, or `deadline` has come; at least one round.

    The result counts what was done; `drained` says whether the queue was seen empty. Raises: StoreError.
    """
    room = Span(clock.now() - ROOM_BEHIND, clock.now() + ROOM_AHEAD)
    store.ensure_partitions(room)
    drained = drain_queue(store, clock, deadline, wait=False)
    # Only coarser candles that are up to date may outlive the minutes that they were made of.
    pruned = store.prune_history(now=clock.now()) if drained.empty else 0
    return {
        "entries": drained.entries,
        "rounds": drained.rounds,
        "drained": drained.empty,
        "pruned": pruned,
        "busy": drained.busy,
        "room_until": rfc3339(room.end),
    }
