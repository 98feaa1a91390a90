"""How often an instrument trades, and so how long its silence may last before it is unlikely. Used by watch_symbols.

Pure: times are seconds on whatever clock the caller has. The trades between two looks are one sign of life, so that a
burst does not make an instrument look busier than it is.
"""

from dataclasses import dataclass

_SHARE_OF_NEWEST = 0.1
_LONGEST_KEPT = 0.995
# In a market without memory a silence of eight times the mean comes once in 3,000; twice the longest of the last few
# hundred covers the markets that do remember.
_MEANS = 8.0
_LONGESTS = 2.0


@dataclass(frozen=True, slots=True)
class PatienceBounds:
    """Between what the patience with a silence stays, in seconds; `unknown` is that with one that never traded yet."""

    least: float = 5.0
    unknown: float = 30.0
    most: float = 600.0


class Pace:
    """Learns from signs of life. A silence that somebody confirmed doubles the patience until the next sign."""

    def __init__(self, now: float, bounds: PatienceBounds) -> None:
        self._bounds = bounds
        self._heard = now
        self._mean: float | None = None
        self._longest = 0.0
        self._confirmed = 0
        self._asked = now

    @property
    def patience_seconds(self) -> float:
        """How long a silence may last, from the last sign of life or confirmation on."""
        if self._mean is None:
            likely = self._bounds.unknown
        else:
            likely = max(_MEANS * self._mean, _LONGESTS * self._longest, self._bounds.least)
        return min(likely * 2.0 ** min(self._confirmed, 16), self._bounds.most)

    def alive(self, now: float) -> None:
        """It traded."""
        between = now - self._heard
        self._longest = max(between, self._longest * _LONGEST_KEPT)
        self._mean = between if self._mean is None else self._mean + _SHARE_OF_NEWEST * (between - self._mean)
        self._heard = self._asked = now
        self._confirmed = 0

    def confirm_silence(self, now: float) -> None:
        """Nothing was traded, says somebody who knows."""
        self._asked = now
        self._confirmed += 1

    def overdue_seconds(self, now: float) -> float:
        """By how much the silence exceeds what is likely; below zero while it does not."""
        return now - self._asked - self.patience_seconds
