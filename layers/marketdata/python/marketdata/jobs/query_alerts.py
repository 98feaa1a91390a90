"""Answer a question for alerts and what became of telling them. Called by the api function and by the command line."""

from dataclasses import dataclass
from datetime import datetime

from marketdata.clock import Clock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.alert import Alert
from marketdata.model.alert_message import AlertMessage
from marketdata.serve.alert_params import AlertQuery
from marketdata.serve.alerts_json import alerts_body
from marketdata.serve.cursor import Cursors
from marketdata.store.alert_store import AlertStore
from marketdata.store.alerts import AlertQuestion

MESSAGES_MAX = 10_000
"""Of one page: the newest."""


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first, as of `as_of`, and the messages about them. `next_cursor` continues before them."""

    alerts: tuple[Alert, ...]
    messages: tuple[AlertMessage, ...]
    next_cursor: str | None
    as_of: datetime

    def body(self) -> str:
        """As JSON."""
        return alerts_body(self.alerts, self.messages, self.next_cursor, self.as_of)


def query_alerts(
    store: AlertStore, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: AlertQuery
) -> str:
    """One page of alerts as JSON. Raises: RequestInvalid, StoreError."""
    return find_alert_page(store, instruments, cursors, clock, query).body()


def find_alert_page(
    store: AlertStore, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: AlertQuery
) -> AlertPage:
    """One page of alerts. Raises: RequestInvalid, StoreError."""
    exchange, symbol = _subject(instruments, query)
    question = query.question(exchange, symbol)
    found = store.find_alerts(
        AlertQuestion(
            states=query.states,
            severities=query.severities,
            rule=query.rule,
            exchange=exchange,
            symbol=symbol,
            before=cursors.read_after(question, query.cursor) if query.cursor is not None else None,
            limit=query.limit,
        )
    )
    more = len(found) == query.limit
    messages = store.alert_messages(alerts=[one.id for one in found], limit=MESSAGES_MAX) if found else []
    cursor = cursors.issue_after(question, found[-1].number) if more else None
    return AlertPage(tuple(found), tuple(messages), cursor, clock.now())


def _subject(instruments: KnownInstruments, query: AlertQuery) -> tuple[str | None, str | None]:
    """The exchange and the symbol as we spell them."""
    exchange = instruments.exchange(query.exchange) if query.exchange is not None else None
    if query.symbol is None:
        return exchange, None
    instrument = instruments.find(query.symbol, exchange)
    return instrument.key
