"""How the mover fills gaps: what it asks for at once, how patient it is. Made by wiring."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How gaps are filled. `grace` is how long after its close an exchange's candle is taken to be final."""

    trade_span_max: timedelta = timedelta(hours=6)
    keep_trades: bool = False
    """Whether trades that fill a short gap are kept too, as the feed would have kept them."""
    piece: timedelta = timedelta(days=1)
    """So much of ordered history is asked for at a time, newest first; then whatever else is due comes first again."""
    poll_seconds: float = 0.0
    """How often the ledger is looked at while nothing is due, until the deadline; 0: a run ends then."""
    tries_max: int = 8
    """So many answers in a row that brought nothing, and the gap is unrecoverable."""
    lease_seconds: float = 120.0
    """Longer than a run lasts: who holds a lease for longer has died."""
    grace: timedelta = timedelta(minutes=1)
    backoff_seconds_first: float = 15.0
    backoff_seconds_max: float = 3_600.0
    wait: timedelta = timedelta(minutes=15)
    """Where no trade ids can be asked for, a market's silence is understood when it trades again."""
    away_seconds_max: float = 60.0
    """An exchange that is away is asked again this soon: one request in a run finds out."""
