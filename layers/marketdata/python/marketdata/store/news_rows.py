"""The answer of get_news_v1 (migrations/)."""

import msgspec

from marketdata.store.alert_rows import AlertRow
from marketdata.store.gap_rows import GapRow
from marketdata.store.news import News


class NewsRow(msgspec.Struct):
    """Rows of `gaps_v` and of `alerts`, and where to go on."""

    after: str
    gaps: list[GapRow]
    alerts: list[AlertRow]

    @property
    def news(self) -> News:
        """The value that the answer stands for."""
        return News(self.after, tuple(row.gap for row in self.gaps), tuple(row.alert for row in self.alerts))
