"""What goes wrong in a simulation, drawn from its seed: a table of kinds, and the strikes that a plan holds.

Each kind is drawn from a seed of its own, so that leaving one out changes nothing about the others. How a strike is
carried out is in strikes.py.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """Everything that can go wrong."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LATE = "late"
    STALL = "stall"
    MUTE = "mute"
    CUT = "cut"
    REFUSE = "refuse"
    UNACKNOWLEDGED = "unacknowledged"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    THROTTLE = "throttle"
    BAN = "ban"
    REST_AWAY = "rest_away"
    REST_TIMEOUT = "rest_timeout"
    REST_EMPTY = "rest_empty"
    REST_TRUNCATED = "rest_truncated"
    REST_BEHIND = "rest_behind"
    STORE_DOWN = "store_down"
    STORE_RESTART = "store_restart"
    ANSWER_LOST = "answer_lost"
    STORE_SLOW = "store_slow"
    KILL = "kill"
    DEPLOY = "deploy"
    BLOCK = "block"
    CLOCK = "clock"
    JOB_KILL = "job_kill"
    JOB_TWICE = "job_twice"
    BURST = "burst"
    SKIP = "skip"
    ZOMBIE = "zombie"


@dataclass(frozen=True, slots=True)
class Frequency:
    """How many strikes a day, and how long each lasts, in seconds."""

    a_day: float
    seconds_least: float
    seconds_most: float


FREQUENCIES: dict[Kind, Frequency] = {
    Kind.DROP: Frequency(5, 60, 1200),
    Kind.DUPLICATE: Frequency(3, 60, 1200),
    Kind.REORDER: Frequency(3, 60, 900),
    Kind.LATE: Frequency(3, 60, 900),
    Kind.STALL: Frequency(5, 6, 600),
    Kind.MUTE: Frequency(3, 60, 900),
    Kind.CUT: Frequency(10, 1, 1),
    Kind.REFUSE: Frequency(3, 20, 600),
    Kind.UNACKNOWLEDGED: Frequency(3, 20, 120),
    Kind.MALFORMED: Frequency(3, 10, 300),
    Kind.UNKNOWN: Frequency(1, 60, 600),
    Kind.MAINTENANCE: Frequency(0.7, 3600, 10_800),
    Kind.THROTTLE: Frequency(3, 30, 300),
    Kind.BAN: Frequency(0.7, 60, 300),
    Kind.REST_AWAY: Frequency(3, 30, 600),
    Kind.REST_TIMEOUT: Frequency(2, 30, 300),
    Kind.REST_EMPTY: Frequency(2, 30, 300),
    Kind.REST_TRUNCATED: Frequency(2, 30, 300),
    Kind.REST_BEHIND: Frequency(3, 60, 900),
    Kind.STORE_DOWN: Frequency(3, 20, 400),
    Kind.STORE_RESTART: Frequency(3, 2, 8),
    Kind.ANSWER_LOST: Frequency(3, 30, 600),
    Kind.STORE_SLOW: Frequency(1, 60, 600),
    Kind.KILL: Frequency(8, 2, 90),
    Kind.DEPLOY: Frequency(3, 0, 60),
    Kind.BLOCK: Frequency(2, 5, 75),
    Kind.CLOCK: Frequency(2, 60, 1200),
    Kind.JOB_KILL: Frequency(10, 1, 1),
    Kind.JOB_TWICE: Frequency(1, 120, 600),
    Kind.BURST: Frequency(1, 120, 300),
    Kind.SKIP: Frequency(24, 1, 1),
    Kind.ZOMBIE: Frequency(5, 3000, 4000),
}

HARMLESS = frozenset({Kind.DUPLICATE, Kind.UNKNOWN, Kind.JOB_KILL, Kind.JOB_TWICE, Kind.CLOCK, Kind.SKIP, Kind.ZOMBIE})
"""What is no excuse for a late candle."""


@dataclass(frozen=True, slots=True, order=True)
class Strike:
    """One thing that goes wrong, from `at` for `seconds` (virtual); `draw` in [0, 1) decides what is left open."""

    at: float
    seconds: float
    kind: Kind
    draw: float

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.at + self.seconds


def plan(seed: int, hours: float, kinds: Collection[Kind], times: float = 1.0) -> list[Strike]:
    """What goes wrong in `hours`, `times` as often as usual, in order; all of it is over when they are."""
    end = hours * 3600.0
    return sorted(strike for kind in sorted(kinds) for strike in _draw(seed, end, kind, times))


def _draw(seed: int, end: float, kind: Kind, times: float) -> list[Strike]:
    luck, frequency = Random(f"{seed}/{kind}"), FREQUENCIES[kind]
    strikes, rate = [], times * frequency.a_day / 86_400
    at = luck.expovariate(rate)
    while at < end:
        seconds = luck.uniform(frequency.seconds_least, frequency.seconds_most)
        strikes.append(Strike(at, min(seconds, end - at), kind, luck.random()))
        at += seconds + luck.expovariate(rate)
    return strikes
