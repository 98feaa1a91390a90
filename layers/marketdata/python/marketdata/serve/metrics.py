"""Figures as they are watched: a JSON list, and the text format of Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format", version 0.0.4.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Instant

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "marketdata_"

Kind = Literal["counter", "gauge", "histogram"]


class Metric(msgspec.Struct, frozen=True):
    """One figure. `help` says what it is; it is told once a name, and only to Prometheus.

    One that is not `scraped` is what Prometheus would take for something else: a counter that may fall, a mean.
    """

    type: Kind
    name: str
    value: float
    labels: Mapping[str, str] = {}
    help: str = ""
    scraped: bool = True


class MetricRecord(msgspec.Struct, frozen=True):
    """One figure as of `timestamp`."""

    type: Kind
    name: str
    value: float
    timestamp: Instant
    labels: dict[str, str]


MetricList = list[MetricRecord]


def metrics_json(metrics: Iterable[Metric], now: datetime) -> str:
    """A bare list of `{type, name, value, timestamp, labels}`."""
    time = rfc3339(now)
    records = [MetricRecord(one.type, one.name, one.value, time, dict(one.labels)) for one in metrics]
    return msgspec.json.encode(records).decode()


def metrics_text(metrics: Sequence[Metric]) -> str:
    """What Prometheus scrapes."""
    by_name: dict[str, list[Metric]] = {}
    for one in metrics:
        if one.scraped:
            by_name.setdefault(one.name, []).append(one)
    return "".join(f"{line}\n" for name, group in by_name.items() for line in _group(PREFIX + name, group))


def _group(name: str, group: Sequence[Metric]) -> Iterable[str]:
    if group[0].help:
        yield f"# HELP {name} {group[0].help}"
    yield f"# TYPE {name} {group[0].type}"
    for one in group:
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in one.labels.items())
        yield f"{name}{{{labels}}} {one.value!r}" if labels else f"{name} {one.value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
