"""Drain the queue of changed minutes into coarser candles, keep room for the days to come, forget what is too old.

Runs every minute.
"""

from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

ENTRIES_A_ROUND = 2_000
# A missed run must not leave writers without room: a week of runs may fail first.
ROOM_BEHIND = timedelta(days=1)
ROOM_AHEAD = timedelta(days=7)


def roll_up(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
    """Drain until the queue is empty, another drainer is at work, or `deadline` has come; at least one round.

    The result counts what was done; `drained` says whether the queue was seen empty. Raises: StoreError.
    """
    room = Span(clock.now() - ROOM_BEHIND, clock.now() + ROOM_AHEAD)
    store.ensure_partitions(room)
    rounds = entries = 0
    taken: int | None = ENTRIES_A_ROUND
    while taken == ENTRIES_A_ROUND and (rounds == 0 or clock.now() < deadline):
        taken = store.roll_up(limit=ENTRIES_A_ROUND)
        entries += taken or 0
        rounds += 1
    # Only coarser candles that are up to date may outlive the minutes that they were made of.
    drained = taken is not None and taken < ENTRIES_A_ROUND
    pruned = store.prune_history(now=clock.now()) if drained else 0
    return {
        "entries": entries,
        "rounds": rounds,
        "drained": drained,
        "pruned": pruned,
        "busy": taken is None,
        "room_until": rfc3339(room.end),
    }
