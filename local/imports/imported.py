"""What an import did."""

from dataclasses import dataclass, field

from marketdata.compute.coverage import Spans

from local.imports.plan import Absence


@dataclass(slots=True)
class Imported:
    """Counted: `absences` in files, by why they have nothing; `months_attached` were new, and loaded whole.

    `missing` is the time of which candles could not be had. `differing`: minutes in which the exchange's own candle is
    another one than its trades make, a sentence each.
    """

    files: int = 0
    ticks: int = 0
    candles: int = 0
    months: int = 0
    months_attached: int = 0
    absences: dict[Absence, int] = field(default_factory=dict)
    missing: Spans = ()
    differing: list[str] = field(default_factory=list)

    def note_absence(self, why: Absence | None) -> None:
        """One more file, and why it has nothing; None: it has something."""
        self.files += 1
        if why is not None:
            self.absences[why] = self.absences.get(why, 0) + 1
