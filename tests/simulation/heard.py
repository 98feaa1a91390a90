"""What a feed has heard it has to save: an oracle for each feed alone, which no other feed and no repair appeases."""

from bisect import bisect_right

from tests.simulation.market import SimulatedMarket
from tests.simulation.pace import Pace
from tests.simulation.record import Record, TradeKey
from tests.simulation.unsteady_store import Weather

EXAMPLES_MAX = 5


def unsaved(record: Record, market: SimulatedMarket, weather: Weather, pace: Pace) -> list[str]:
    """Trades that a feed heard and that are not kept, although it lived long enough beside a store that answered.

    Long enough is a few flushes.
    """
    needed = 4 * pace.rhythm.flush_seconds + 10.0
    broken = []
    for process, heard in record.heard_by.items():
        died = record.died.get(process, float("inf"))
        bad = sorted([*weather.down, *record.stood_still.get(process, [])])
        lost = [key for key, at in heard.items() if key not in record.kept and _had_time(at, died, bad, needed)]
        broken += [_text(process, key) for key in sorted(lost)[:EXAMPLES_MAX] if market.trades_by_id(*_alone(key))]
    return broken


def _had_time(since: float, until: float, bad: list[tuple[float, float]], needed: float) -> bool:
    """Whether [since, until) has `needed` seconds in a row outside the `bad` ones."""
    at = since
    for start, end in bad[max(0, bisect_right(bad, (since,)) - 1) :]:
        if min(start, until) - at >= needed:
            return True
        at = max(at, end)
    return until - at >= needed


def _alone(key: TradeKey) -> tuple[str, int, int]:
    """The arguments that ask for that trade; what only a malformed frame names never was."""
    symbol, number = key
    return symbol, number, number + 1


def _text(process: str, key: TradeKey) -> str:
    symbol, number = key
    return f"{process} heard of trade {number} of {symbol} and did not save it"
