"""Tell the hub of gaps that were opened, resized or settled, and of alerts that fired, flapped or ended.

Run by follow_live every few seconds. Other processes move both, so they are told of through the store, like revisions
(announce_revisions): one question for what changed since the last. Each is told as it is now, in the words of the API.
"""

import asyncio
from collections.abc import Callable

from marketdata.clock import Clock
from marketdata.jobs.announce import Publish
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.alert import Alert
from marketdata.model.alert_message import AlertMessage
from marketdata.model.gap import Gap
from marketdata.serve.alerts_json import alert_documents
from marketdata.serve.gaps_json import gap_document
from marketdata.store.news import News
from marketdata.store.store import Store

NEWS_A_LOOK = 500
"""Of each; the next look goes on. A scan after a long outage must not push everything else out of the stream's ring."""
MESSAGES_MAX = 2_000

IsOurs = Callable[[str | None, str | None], bool]
"""Whether this feed is the one to tell of an exchange and a symbol; None where the news is not about one."""


class AnnounceNews:
    """What changed since the last look, of the markets that are this feed's to tell of.

    Alerts are told where `alerts_too`. What a look could not tell the next one tells; what was told may be told again.
    """

    def __init__(self, store: Store, publish: Publish, clock: Clock, is_ours: IsOurs, *, alerts_too: bool) -> None:
        self._store = store
        self._publish = publish
        self._instruments = KnownInstruments(store, clock)
        self._is_ours = is_ours
        self._alerts_too = alerts_too
        self._after: str | None = None

    async def look(self) -> None:
        """Ask what changed, and tell. Raises: StoreError."""
        found = await asyncio.to_thread(self._store.news, after=self._after, limit=NEWS_A_LOOK)
        await self._tell_gaps(found)
        if self._alerts_too:
            await self._tell_alerts(found)
        self._after = found.after

    async def _tell_gaps(self, found: News) -> None:
        gaps = [gap for gap in found.gaps if self._is_ours(gap.exchange, gap.symbol)]
        known = await asyncio.to_thread(self._instruments.all) if gaps else []
        simulated = {one.key for one in known if one.simulated}
        for gap in gaps:
            self._tell_gap(gap, simulated=(gap.exchange, gap.symbol) in simulated)

    def _tell_gap(self, gap: Gap, *, simulated: bool) -> None:
        document = gap_document(gap, simulated=simulated)
        self._publish("gap", gap.exchange, gap.symbol, document, conflation_key=f"gap:{gap.id}")

    async def _tell_alerts(self, found: News) -> None:
        alerts = [alert for alert in found.alerts if self._is_ours(alert.exchange, alert.symbol)]
        messages = await asyncio.to_thread(self._messages, alerts) if alerts else []
        for alert, document in zip(alerts, alert_documents(alerts, messages), strict=True):
            key = f"alert:{alert.id}"
            self._publish("alert", alert.exchange or "", alert.symbol or "", document, conflation_key=key)

    def _messages(self, alerts: list[Alert]) -> list[AlertMessage]:
        return self._store.alert_messages(alerts=[alert.id for alert in alerts], limit=MESSAGES_MAX)
