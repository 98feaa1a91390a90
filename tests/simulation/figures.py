"""How soon holes were found and repaired: the delay of each run of trades that the stream did not bring in time.

Counted from when the exchange can be asked again: from the trade itself, or from the end of the faults during which
nobody could have heard of it or asked for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marketdata.model.times import nanoseconds

from tests.simulation.faults import Kind
from tests.simulation.record import TradeKey
from tests.simulation.simulation import Outcome

LATE_SECONDS = 2.0
"""A trade that comes within so long on the stream is no hole."""

AWAY = frozenset(
    {
        Kind.STALL,
        Kind.REFUSE,
        Kind.UNACKNOWLEDGED,
        Kind.MAINTENANCE,
        Kind.THROTTLE,
        Kind.BAN,
        Kind.REST_AWAY,
        Kind.REST_TIMEOUT,
        Kind.REST_EMPTY,
        Kind.REST_TRUNCATED,
        Kind.REST_BEHIND,
        Kind.STORE_DOWN,
        Kind.STORE_RESTART,
        Kind.STORE_SLOW,
        Kind.KILL,
        Kind.DEPLOY,
        Kind.BLOCK,
    }
)
"""While these last, the exchange, the store or the feed is not there."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A run of trades that the stream did not bring in time, and how long finding and repairing it took."""

    trades: int
    found_seconds: float
    repaired_seconds: float


def holes(outcome: Outcome) -> list[Hole]:
    """Every hole that was repaired through the feed; what a backfill filled in has no trades to tell of."""
    away = [(strike.at, strike.ends) for strike in outcome.drawn if strike.kind in AWAY]
    found = []
    for run in _runs(outcome):
        back = max(_back(at, away) for _, at in run)
        noticed = min(_noticed(outcome, key) for key, _ in run)
        kept = [outcome.record.kept.get(key) for key, _ in run]
        whole = [at for at in kept if at is not None]
        if len(whole) == len(run):
            found.append(Hole(len(run), max(0.0, noticed - back), max(0.0, max(whole) - back)))
    return found


def _runs(outcome: Outcome) -> Iterator[list[tuple[TradeKey, float]]]:
    """Runs of consecutive trades that came late or never, each with its virtual second."""
    start, record = outcome.setup.start, outcome.record
    start_ns = nanoseconds(start)
    for symbol in outcome.market.products:
        run: list[tuple[TradeKey, float]] = []
        for trade in outcome.market.trades(symbol, outcome.span):
            key, at = (symbol, trade.id), (trade.time_ns - start_ns) / 1e9
            if record.heard.get(key, float("inf")) - at > LATE_SECONDS:
                run.append((key, at))
            elif run:
                yield run
                run = []
        if run:
            yield run


def _noticed(outcome: Outcome, key: TradeKey) -> float:
    record = outcome.record
    times = (record.heard.get(key), record.asked.get(key))
    return min((at for at in times if at is not None), default=float("inf"))


def _back(at: float, away: Sequence[tuple[float, float]]) -> float:
    """When everybody needed is there again, at or after `at`."""
    moved = True
    while moved:
        ends = [end for start, end in away if start <= at < end]
        moved = bool(ends)
        at = max([at, *ends])
    return at


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
