"""Seeded randomness that can be asked about any moment, in any order: hashes and noise built on them.

Integer hashing and IEEE addition and multiplication only, so that one seed gives one market on every machine.
"""

import math
from functools import lru_cache

_MASK = (1 << 64) - 1

# The periods that a price moves on, in minutes: from one minute to thirty days.
_PERIODS_MINUTES = (1, 4, 15, 60, 240, 1440, 10_080, 43_200)
# A random walk moves with the square root of time; a minute moves 0.04 %.
_OCTAVES: tuple[tuple[int, float], ...] = tuple((period, 0.0004 * math.sqrt(period)) for period in _PERIODS_MINUTES)


def mix(key: int, first: int, second: int = 0) -> int:
    """A 64-bit hash of integers: the finalizer of splitmix64 over their weighted sum."""
    state = (key + first * 0x9E3779B97F4A7C15 + second * 0xD1B54A32D192ED03) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def uniform(key: int, first: int, second: int = 0) -> float:
    """A number in [0, 1) that belongs to these integers."""
    return (mix(key, first, second) >> 11) * 2.0**-53


@lru_cache(maxsize=4096)
def wander(key: int, minute: int) -> float:
    """How far a price has walked from its base by the start of `minute`, as a fraction of the base.

    A sum of interpolated noise over several time scales: it moves like a random walk, never repeats, and is bounded by
    0.15 for ever. Neighbouring minutes are close.
    """
    walked = 0.0
    for period, share in _OCTAVES:
        walked += share * _smooth(key, period, minute)
    return walked


def _smooth(key: int, period: int, minute: int) -> float:
    index, rest = divmod(minute, period)
    before = _lattice(key, period, index)
    if rest == 0:
        return before
    along = rest / period
    eased = along * along * (3.0 - 2.0 * along)
    return before + (_lattice(key, period, index + 1) - before) * eased


@lru_cache(maxsize=8192)
def _lattice(key: int, period: int, index: int) -> float:
    return 2.0 * uniform(key, period, index) - 1.0
