"""The alerts job, every minute: evaluate, write, deliver; again every few seconds until its time is over.

Several may run at once: an evaluation that is overtaken changes nothing, and a message is leased by one at a time.
"""

import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from marketdata.clock import Clock, Pause
from marketdata.errors import StoreError
from marketdata.jobs.deliver_alerts import Send, deliver_alerts, post
from marketdata.jobs.raise_alerts import RaiseSettings, known_targets, raise_alerts
from marketdata.jobs.store_outage import StoreOutage
from marketdata.model.alert_message import AlertMessage
from marketdata.model.alert_target import ENVIRONMENT, Target
from marketdata.net.webhook import Webhooks
from marketdata.serve.alert_notice import NoticeWords
from marketdata.store.alerts import AlertDesk
from marketdata.store.store import Store


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How alerts are raised and sent. `poll_seconds`: how long between evaluations; 0: one a run."""

    raising: RaiseSettings = field(default_factory=RaiseSettings)
    poll_seconds: float = 0.0


def alerts(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    settings: AlertSettings | None = None,
    send: Send | None = None,
    outage: StoreOutage | None = None,
    pause: Pause = time.sleep,
) -> dict[str, object]:
    """The job; the result counts. A `pause` that says true is the last.

    Raises: StoreError if the last evaluation did not reach the store.
    """
    settings = settings or AlertSettings()
    work = _Work(store, clock, settings, send or Webhooks().post, outage or StoreOutage())
    while True:
        failure = work.once(deadline)
        if not settings.poll_seconds or clock.now() + timedelta(seconds=settings.poll_seconds) >= deadline:
            break
        if pause(settings.poll_seconds):
            break
    if failure is not None:
        raise failure
    return work.result


class _Work:
    """One run."""

    def __init__(self, store: Store, clock: Clock, settings: AlertSettings, send: Send, outage: StoreOutage) -> None:
        self.result: dict[str, object] = {}
        self._store = store
        self._clock = clock
        self._settings = settings
        self._send = send
        self._outage = outage
        self._counts = dict.fromkeys(("evaluations", "fired", "resolved", "messages", "delivered", "failed"), 0)
        # No two runs are the same worker: a lease is told by it.
        self._worker = f"alerts-{secrets.token_hex(6)}"
        self._words = NoticeWords(settings.raising.runbook_url)

    def once(self, deadline: datetime) -> StoreError | None:
        """One evaluation and what it has to send; the error if the store did not answer."""
        try:
            self._evaluate(deadline)
        except StoreError as error:
            self._outage.failed(self._clock.now(), error.operation, self._tell, self._words)
            return error
        self._outage.answered(self._clock.now(), self._tell, self._words)
        return None

    def _evaluate(self, deadline: datetime) -> None:
        environment = self._settings.raising.environment
        desk = self._store.alert_desk(now=self._clock.now())
        sync_environment(self._store, desk, environment)
        raised = raise_alerts(self._store, self._clock.now(), self._settings.raising)
        # Read anew: a target may have been added a moment ago, or what the settings name.
        stored = self._store.alert_desk(now=self._clock.now()).targets
        targets = {target.name: target for target in known_targets(stored, environment)}
        sent = deliver_alerts(self._store, self._clock, deadline, worker=self._worker, targets=targets, send=self._send)
        for name, value in (
            ("evaluations", 1),
            ("fired", raised.fired),
            ("resolved", raised.resolved),
            ("messages", raised.messages),
            ("delivered", sent.delivered),
            ("failed", sent.failed),
        ):
            self._counts[name] += value
        self.result = {**self._counts, "firing": raised.firing}

    def _tell(self, message: AlertMessage) -> bool:
        """Past the store, to the target of the settings; without one only the log hears of it."""
        target = self._settings.raising.environment
        return target is None or post(message, target, self._clock.now(), self._send).delivered


def sync_environment(store: Store, desk: AlertDesk, environment: Target | None) -> None:
    """Let the store know of the target that the settings name, without its address, or that they name none now.

    Another address than the one that was disabled is enabled.
    """
    name = ENVIRONMENT
    stored = next((one for one in desk.targets if one.name == name), None)
    if environment is None:
        if stored is not None:
            store.remove_target(name)
        return
    digest = f"sha256:{sha256(environment.url.encode()).hexdigest()}"
    told = replace(environment, url=digest, secrets=())
    if stored is None or stored.url != digest:
        store.put_target(told)
    elif (stored.kind, stored.min_severity, stored.quiet) != (told.kind, told.min_severity, told.quiet):
        store.put_target(replace(told, enabled=stored.enabled, disabled_reason=stored.disabled_reason))
