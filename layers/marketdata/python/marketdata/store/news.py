"""What is new on the gap ledger and among alerts, whoever wrote it. Part of Store; told to the hub by announce_news."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # For annotations alone: the store is part of every cold start, and alerts of hardly any.
    from marketdata.model.alert import Alert
    from marketdata.model.gap import Gap


@dataclass(frozen=True, slots=True)
class News:
    """Gaps and alerts as they are now, in the order of their last change; what comes next is after `after`."""

    after: str
    gaps: tuple[Gap, ...] = ()
    alerts: tuple[Alert, ...] = ()


class NewsStore(Protocol):
    """What changed since somebody asked last."""

    def news(self, *, after: str | None, limit: int) -> News:
        """The gaps that were opened, resized or settled, and the alerts that fired, flapped or ended, since `after`.

        At most `limit` of each, and at most 10,000. Several changes of one are told once; a lease is none, and what
        was forgotten is not told. None asks for the newest place alone. Nothing is passed by, however long its
        transaction takes.
        """
        ...
