"""What is new, in the in-memory store."""

from marketdata.store.limits import check_limit
from marketdata.store.memory_alerts import MemoryAlerts
from marketdata.store.news import News


class MemoryNews(MemoryAlerts):
    """The part of the Store protocol that is about what is new."""

    def news(self, *, after: str | None, limit: int) -> News:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            if after is None:
                return News(f"{self._ledger.news.newest}:{self._outbox.news.newest}")
            gap_number, alert_number = (int(part) for part in after.split(":"))
            gaps = self._ledger.news.after(gap_number, limit)
            alerts = self._outbox.news.after(alert_number, limit)
            return News(
                f"{gaps[-1][0] if gaps else gap_number}:{alerts[-1][0] if alerts else alert_number}",
                tuple(gap for _, number in gaps if (gap := self._ledger.get(number)) is not None),
                tuple(self._outbox.get(alert_id) for _, alert_id in alerts),
            )
