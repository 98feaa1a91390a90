"""An alarm of CloudWatch, as SNS hands it over, as a notice that every target's shape knows. Pure.

Source: docs.aws.amazon.com/AmazonCloudWatch, "Alarm event samples"; the message is a JSON text within the record.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from marketdata.errors import RequestInvalid
from marketdata.model.alert import Severity
from marketdata.model.times import rfc3339

SEVERITY = Severity.ERROR
"""Every alarm is somebody's to look at; which is worse, the runbook says."""
REASON_CHARACTERS_MAX = 500


def alarm_notice(record: Mapping[str, Any]) -> tuple[UUID, dict[str, Any]]:
    """The notice of one record of an SNS event, and the id of its message: the same however often it is delivered.

    Raises: RequestInvalid for what is no alarm.
    """
    try:
        sns = record["Sns"]
        alarm = json.loads(sns["Message"])
        changed = datetime.fromisoformat(alarm["StateChangeTime"])
        return uuid5(NAMESPACE_URL, f"sns:{sns['MessageId']}"), _notice(alarm, changed)
    except (KeyError, TypeError, ValueError) as error:
        raise RequestInvalid("Message", "not an alarm of CloudWatch") from error


def _notice(alarm: Mapping[str, Any], changed: datetime) -> dict[str, Any]:
    told = _alert(alarm, changed)
    title = f"[{told['status'].upper()}] {told['summary']}"
    time = rfc3339(changed)
    return {"kind": "alerts", "title": title, "severity": SEVERITY.value, "timestamp": time, "alerts": [told]}


def _alert(alarm: Mapping[str, Any], changed: datetime) -> dict[str, Any]:
    """The alarm in the words of our own alerts; its description ends with the address of its runbook."""
    name = str(alarm["AlarmName"])
    summary, _, runbook = str(alarm.get("AlarmDescription") or name).rpartition(" ")
    over = alarm["NewStateValue"] == "OK"
    return {
        "alert_id": str(uuid5(NAMESPACE_URL, f"{alarm.get('AlarmArn', name)}")),
        "dedup_key": f"cloudwatch:{name}",
        "type": "cloud_alarm",
        "status": "resolved" if over else "firing",
        "severity": SEVERITY.value,
        "summary": f"{name}: {summary or runbook}",
        "exchange": None,
        "symbol": None,
        "started_at": rfc3339(changed),
        "ended_at": rfc3339(changed) if over else None,
        "value": None,
        "threshold": None,
        "impact": "",
        "runbook": runbook,
        "context": {"alarm": name, "reason": str(alarm.get("NewStateReason", ""))[:REASON_CHARACTERS_MAX]},
        "duration_seconds": 0,
    }
