"""Tell the alert webhook of an alarm of CloudWatch: what the system cannot say of itself. The alarms' topic calls it.

It needs no store, which may be why the alarm rings. What cannot be delivered fails, is tried again, and put aside.

Event (from SNS, shortened; event.json is whole): {"Records": [{"Sns": {"MessageId": "...", "Message": "{...}"}}]}
Answer: {"status": "success", "announced": 1}, with 0 where no webhook is set
"""

from typing import Any

from marketdata import wiring
from marketdata.clock import SystemClock
from marketdata.errors import RemoteUnavailable
from marketdata.jobs.deliver_alerts import post
from marketdata.model.alert import Severity
from marketdata.model.alert_message import AlertMessage
from marketdata.model.alert_target import Target
from marketdata.net.webhook import Webhooks
from marketdata.observe import logger, watched
from marketdata.serve.cloud_alarm import alarm_notice


@watched("announce_alarm")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises: RemoteUnavailable when a notice is not taken, for another try."""
    settings = wiring.settings()
    target, webhooks = wiring.environment_target(settings), wiring.webhooks(settings)
    if target is None:
        logger.warning("an alarm, and no webhook to tell", extra={"alarms": len(event["Records"])})
        return {"status": "success", "announced": 0}
    for record in event["Records"]:
        announce(record, target, webhooks)
    return {"status": "success", "announced": len(event["Records"])}


def announce(record: dict[str, Any], target: Target, webhooks: Webhooks) -> None:
    """Send one record's alarm. Raises: RemoteUnavailable, RequestInvalid."""
    now = SystemClock().now()
    id_, notice = alarm_notice(record)
    message = AlertMessage(id_, target.name, notice, Severity(notice["severity"]), created_at=now, next_at=now)
    answer = post(message, target, now, webhooks.post)
    if not answer.delivered:
        raise RemoteUnavailable(target.name, f"the notice was not taken: {answer.status or ''} {answer.error}")
    logger.info("alarm announced", extra={"title": notice["title"], "target": target.name})
