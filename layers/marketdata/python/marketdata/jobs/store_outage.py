"""The one alert that cannot wait in the store: that the store is away. Kept by each process that runs the alerts job.

It goes straight to the target of the settings, once an outage, and once more when the store is back. Its id is made of
the hour, so that processes that see the same outage send one message as far as the receiver is concerned.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from marketdata.model.alert import Alert, AlertState
from marketdata.model.alert_message import AlertMessage
from marketdata.model.alert_rule import STORE_UNAVAILABLE
from marketdata.serve.alert_notice import NoticeWords, alerts_notice

Tell = Callable[[AlertMessage], bool]
"""Sends a message now; whether it was delivered."""


class StoreOutage:
    """Since when the store does not answer, and whether somebody was told."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._told = False

    def failed(self, now: datetime, operation: str, tell: Tell, words: NoticeWords) -> None:
        """The store did not do `operation`; told when it has been so for as long as the rule says."""
        self._since = self._since or now
        if not self._told and now - self._since >= STORE_UNAVAILABLE.hold:
            self._told = tell(self._message(self._since, now, operation, words, ended=False))

    def answered(self, now: datetime, tell: Tell, words: NoticeWords) -> None:
        """The store answers; told if it was told that it did not."""
        since, told = self._since, self._told
        if since is not None and told and not tell(self._message(since, now, "", words, ended=True)):
            return  # the next evaluation says it again
        self._since, self._told = None, False

    def _message(
        self, since: datetime, now: datetime, operation: str, words: NoticeWords, *, ended: bool
    ) -> AlertMessage:
        alert_id = _id_of(since, "alert")
        alert = Alert(
            id=alert_id,
            dedup_key=STORE_UNAVAILABLE.name,
            rule=STORE_UNAVAILABLE.name,
            severity=STORE_UNAVAILABLE.severity,
            state=AlertState.RESOLVED if ended else AlertState.FIRING,
            summary="the store does not answer",
            created_at=since,
            context={"operation": operation} if operation else {},
            resolved_at=now if ended else None,
            started_at=since,
        )
        message_id = _id_of(since, "resolved" if ended else "firing")
        notice = alerts_notice([alert], now, words)
        return AlertMessage(message_id, "", notice, STORE_UNAVAILABLE.severity, now, now, attempt=1)


def _id_of(since: datetime, what: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"marketdata:{STORE_UNAVAILABLE.name}:{since:%Y-%m-%dT%H}:{what}")
