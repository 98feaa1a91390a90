"""A notice in the shape that a target understands: the bodies of webhooks. Pure; docs/alerts.md shows each.

Limits, from each service's documentation: Slack 3,000 characters a section and 50 blocks; Discord 10 embeds, 256 of a
title, 4,096 of a description and 6,000 in all; Teams 28 kB; PagerDuty 1,024 of a summary, 255 of a key and 512 kB;
a generic webhook 20 kB.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from marketdata.model.alert_target import Target, TargetKind
from marketdata.serve.alert_notice import sentence

SERVICE = "market-data-engine"
Body = dict[str, Any]
_Notice = Mapping[str, Any]

SLACK_SECTION_MAX = 3_000
SLACK_HEADER_MAX = 150
DISCORD_TITLE_MAX, DISCORD_DESCRIPTION_MAX = 256, 500
"""Ten embeds of such descriptions stay below the 6,000 that all of them may have."""
PAGERDUTY_SUMMARY_MAX, PAGERDUTY_KEY_MAX = 1_024, 255
TEAMS_TEXT_MAX = 1_000

_COLOURS = {"info": 0x3B82F6, "warning": 0xF59E0B, "error": 0xEF4444, "critical": 0x991B1B}
_GREEN = 0x22C55E
_MARKS = {"info": ":information_source:", "warning": ":warning:", "error": ":x:", "critical": ":rotating_light:"}
_TEAMS_COLOURS = {"info": "Accent", "warning": "Warning", "error": "Attention", "critical": "Attention"}


def body_of(target: Target, notice: _Notice) -> bytes:
    """The body that is sent, the same bytes at each try."""
    return msgspec.json.encode(_SHAPES[target.kind](notice, target.secrets))


def _generic(notice: _Notice, _: Sequence[str]) -> Body:
    """Standard Webhooks' `type`, `timestamp`, `data`, and beside them what simple receivers read."""
    alerts = notice["alerts"]
    first = dict(alerts[0]) if alerts else {"summary": notice["title"], "severity": notice["severity"]}
    kind = first.get("type", f"alerts.{notice['kind']}") if notice["kind"] == "alerts" else f"alerts.{notice['kind']}"
    data = {**first, "others": alerts[1:]}
    simple = _simple(dict(notice) | {"alerts": alerts[:1]}, ())
    return {"type": kind, "timestamp": notice["timestamp"], "data": data, **simple}


def _simple(notice: _Notice, _: Sequence[str]) -> Body:
    alerts = notice["alerts"]
    context: dict[str, Any] = dict(notice.get("context") or (alerts[0]["context"] if alerts else {}))
    if alerts:
        names = ("alert_id", "dedup_key", "type", "status", "started_at", "ended_at", "exchange", "symbol", "runbook")
        context |= {name: alerts[0][name] for name in names}
    if len(alerts) > 1:
        context["others"] = [sentence(one) for one in alerts[1:]]
    return {
        "severity": notice["severity"],
        "message": notice["title"],
        "context": context,
        "service": SERVICE,
        "timestamp": notice["timestamp"],
    }


def _slack(notice: _Notice, _: Sequence[str]) -> Body:
    header = {"type": "header", "text": {"type": "plain_text", "text": _cut(notice["title"], SLACK_HEADER_MAX)}}
    sections = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(_slack_text(one), SLACK_SECTION_MAX)}}
        for one in notice["alerts"]
    ]
    context = {"type": "context", "elements": [{"type": "plain_text", "text": f"{SERVICE} {notice['timestamp']}"}]}
    return {"text": _slack_escaped(_cut(notice["title"], SLACK_SECTION_MAX)), "blocks": [header, *sections, context]}


def _slack_text(alert: Mapping[str, Any]) -> str:
    mark = ":white_check_mark:" if alert["status"] == "resolved" else _MARKS[alert["severity"]]
    said = _slack_escaped(sentence(alert))
    return f"{mark} *{alert['type']}* {said}\n{_slack_escaped(alert['impact'])}\nRunbook: {alert['runbook']}"


def _slack_escaped(text: str) -> str:
    """Slack's three control characters; a symbol cannot then mention everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord(notice: _Notice, _: Sequence[str]) -> Body:
    embeds = [_embed(one) for one in notice["alerts"]][:10]
    body: Body = {"content": _cut(notice["title"], 2_000), "embeds": embeds, "allowed_mentions": {"parse": []}}
    return body


def _embed(alert: Mapping[str, Any]) -> Body:
    colour = _GREEN if alert["status"] == "resolved" else _COLOURS[alert["severity"]]
    return {
        "title": _cut(f"{alert['status']}: {alert['type']}", 80),
        "description": _cut(sentence(alert), DISCORD_DESCRIPTION_MAX),
        "color": colour,
        "timestamp": alert["ended_at"] or alert["started_at"],
    }


def _teams(notice: _Notice, _: Sequence[str]) -> Body:
    """An Adaptive Card for a Workflow that posts what a webhook receives; connectors were retired in 2026."""
    blocks = [_text(notice["title"], "Bolder", _TEAMS_COLOURS[notice["severity"]])]
    for one in notice["alerts"]:
        colour = "Good" if one["status"] == "resolved" else _TEAMS_COLOURS[one["severity"]]
        blocks.append(_text(sentence(one), "Default", colour))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def _text(text: str, weight: str, colour: str) -> Body:
    return {"type": "TextBlock", "text": _cut(text, TEAMS_TEXT_MAX), "weight": weight, "color": colour, "wrap": True}


def _pagerduty(notice: _Notice, secrets: Sequence[str]) -> Body:
    """Events v2 of one alert: trigger opens an incident, and resolve of the same key closes it."""
    alert = notice["alerts"][0] if notice["alerts"] else None
    event: Body = {
        "routing_key": secrets[0] if secrets else "",
        "event_action": "resolve" if alert and alert["status"] == "resolved" else "trigger",
        "dedup_key": _cut(alert["dedup_key"] if alert else f"{SERVICE}:{notice['kind']}", PAGERDUTY_KEY_MAX),
        "payload": {
            "summary": _cut(sentence(alert) if alert else notice["title"], PAGERDUTY_SUMMARY_MAX),
            "source": (alert["exchange"] if alert else None) or SERVICE,
            "severity": notice["severity"],
            "timestamp": notice["timestamp"],
        },
    }
    if alert:
        event["payload"] |= {"class": alert["type"], "custom_details": alert["context"]}
    return event


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


_SHAPES: dict[TargetKind, Callable[[_Notice, Sequence[str]], Body]] = {
    TargetKind.GENERIC: _generic,
    TargetKind.SIMPLE: _simple,
    TargetKind.SLACK: _slack,
    TargetKind.DISCORD: _discord,
    TargetKind.TEAMS: _teams,
    TargetKind.PAGERDUTY: _pagerduty,
}
