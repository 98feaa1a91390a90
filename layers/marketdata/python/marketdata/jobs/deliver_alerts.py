"""Send the messages of the outbox, at least once each, signed, under one id. Called by the alerts job.

A message is leased for longer than a try may take; who dies in between leaves a lease that ends, and the message goes
out again with the same id. Whatever a receiver does is written down and never stops the others.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from random import random

from marketdata.clock import Clock
from marketdata.compute.retry_schedule import next_try
from marketdata.errors import RequestInvalid
from marketdata.model.alert_message import AlertMessage, MessageState, Try, Verdict
from marketdata.model.alert_target import Target, TargetKind
from marketdata.net.webhook import WebhookAnswer
from marketdata.serve.alert_shapes import SERVICE, body_of
from marketdata.serve.webhook_signature import signed_headers
from marketdata.store.alert_store import AlertStore

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""Four times what one try may take."""
AT_ONCE = 8
GONE = 410
SIGNED = (TargetKind.GENERIC, TargetKind.SIMPLE)
"""Those whose receivers check a signature; of the others the address is the secret."""

Send = Callable[[str, bytes, Mapping[str, str]], WebhookAnswer]
"""Posts a body once; says what came of it and never raises for what the network does."""


@dataclass(slots=True)
class Delivered:
    """How many messages were delivered, and how many tries failed."""

    delivered: int = 0
    failed: int = 0


def deliver_alerts(
    store: AlertStore,
    clock: Clock,
    deadline: datetime,
    *,
    worker: str,
    targets: Mapping[str, Target],
    send: Send,
    draw: Callable[[], float] = random,
) -> Delivered:
    """Send what is due, one message of each target at a time, until `deadline`. Raises: StoreError."""
    done, postman = Delivered(), _Postman(store, clock, targets, send, draw)
    while clock.now() < deadline:
        leased = store.claim_messages(worker, now=clock.now(), lease_seconds=LEASE_SECONDS, limit=AT_ONCE)
        if not leased:
            break
        with ThreadPoolExecutor(max_workers=len(leased)) as pool:
            tries = [pool.submit(postman.deliver, one) for one in leased]
        for one in tries:
            done.delivered += one.result()
            done.failed += not one.result()
    return done


@dataclass(frozen=True, slots=True)
class _Postman:
    """What every try needs."""

    store: AlertStore
    clock: Clock
    targets: Mapping[str, Target]
    send: Send
    draw: Callable[[], float]

    def deliver(self, message: AlertMessage) -> bool:
        """One try, and what is written of it. Raises: StoreError; then the lease ends by itself."""
        begun, target = self.clock.now(), self.targets.get(message.target)
        if target is None:
            answer = WebhookAnswer(None, "there is no such target")
        else:
            answer = post(message, target, begun, self.send)
        now = self.clock.now()
        tried = Try(message.attempt, begun, answer.status, answer.error, (now - begun).total_seconds())
        verdict = judge(tried, answer, now, self.draw())
        if not self.store.record_try(message, verdict):
            logger.warning("a message was taken over", extra={"target": message.target, "id": str(message.id)})
        if not answer.delivered:
            what = {"status": answer.status, "reason": answer.error, "attempt": message.attempt}
            logger.warning("alert not delivered", extra={"target": message.target, **what})
        return answer.delivered


def post(message: AlertMessage, target: Target, now: datetime, send: Send) -> WebhookAnswer:
    """Send one message to a target, in its shape and signed."""
    body = body_of(target, message.notice)
    headers = {"Content-Type": "application/json", "User-Agent": SERVICE}
    if target.kind in SIGNED:
        if not target.secrets:
            return WebhookAnswer(None, "the target has no secret, and nothing is sent unsigned")
        try:
            headers |= signed_headers(webhook_id(message), now, body, target.secrets)
        except RequestInvalid as error:
            return WebhookAnswer(None, f"the target's secret {error.reason}")
    return send(target.url, body, headers)


def webhook_id(message: AlertMessage) -> str:
    """By which a receiver knows a message that it has already."""
    return f"msg_{message.id.hex}"


def judge(tried: Try, answer: WebhookAnswer, now: datetime, spread: float) -> Verdict:
    """What becomes of a message after a try."""
    if answer.delivered:
        return Verdict(MessageState.DELIVERED, tried)
    if answer.status == GONE:
        return Verdict(MessageState.DEAD, tried, disables="HTTP 410: the receiver is gone")
    next_at = next_try(tried.attempt, now, spread=spread, retry_after=answer.retry_after)
    if next_at is None:
        return Verdict(MessageState.DEAD, tried, disables=f"gave up after {tried.attempt} tries: {answer.error}")
    return Verdict(MessageState.WAITING, tried, next_at)
