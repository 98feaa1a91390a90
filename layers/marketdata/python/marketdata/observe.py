"""The one logger and the one set of metrics. The rooms below log through the standard library under `marketdata.*`.

On AWS a log line is JSON and metrics are written beside it (CloudWatch embedded metric format); on one's own machine
lines are for people and metrics are not written. What is logged never holds a key: settings keep theirs as Secret.
"""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TextIO

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
"""A Lambda handler: (event, context) to answer."""

LOG_BYTES_MAX = 4_000_000

# Named as the package, so that every `logging.getLogger(__name__)` below hands its lines up to this one.
logger = Logger(service="marketdata", utc=True, use_rfc3339=True)
metrics = Metrics(namespace="MarketDataEngine", service="marketdata")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Metering:
    """Whether metrics are written. Powertools' are not safe between threads, and a local process has several."""

    on = True


class _ForPeople(logging.Formatter):
    """`21:05:00 WARNING gap filled exchange=coinbase candles=60`, and the traceback if there is one.

    `brief`: of an error its name and its sentence, on the same line.
    """

    brief = False

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={value}" for name, value in vars(record).items() if name not in _STANDARD)
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{time} {record.levelname} {record.getMessage()}{extra}"
        if not record.exc_info:
            return line
        if self.brief:
            kind, error, _ = record.exc_info
            return f"{line} error={kind.__name__ if kind else None}: {' '.join(str(error).split())}"
        return f"{line}\n{self.formatException(record.exc_info)}"


def configure(*, level: str, for_people: bool = False, stream: TextIO | None = None, file: Path | None = None) -> None:
    """Log from `level` upwards; `for_people` logs readable lines to `stream` (standard error) and writes no metrics.

    With `file` every line goes there, which keeps the newest LOG_BYTES_MAX or so, and only warnings go to `stream`.
    """
    logger.setLevel(level)
    if for_people:
        handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
        if file is not None:
            from logging.handlers import RotatingFileHandler  # noqa: PLC0415 - on one's own machine alone

            handlers[0].setLevel(logging.WARNING)
            handlers.append(RotatingFileHandler(file, maxBytes=LOG_BYTES_MAX, backupCount=1))
        for handler in handlers:
            handler.setFormatter(_ForPeople())
        logging.getLogger(logger.name).handlers = handlers
        _Metering.on = False


def leave_tracebacks_out() -> None:
    """From now on an error is one line for people: what fails while everything is stopped needs no search."""
    for handler in logging.getLogger(logger.name).handlers:
        if isinstance(handler.formatter, _ForPeople):
            handler.formatter.brief = True


def count(name: str, value: float = 1) -> None:
    """Count something frequent. Never by symbol: each would be a metric to pay for."""
    if _Metering.on:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def watched(function: str) -> Callable[[Handler], Handler]:
    """For Lambda entry points: name `function` and the request in every log line, log a fault, write the metrics."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def watch(event: dict[str, Any], context: Any) -> dict[str, Any]:
            logger.thread_safe_append_keys(function=function, request_id=context.aws_request_id)
            try:
                return handler(event, context)
            except Exception:
                logger.exception("function failed")
                raise
            finally:
                write_metrics()
                logger.thread_safe_clear_keys()

        return watch

    return decorate


def write_metrics() -> None:
    """Write what was counted since the last time; nothing if nothing was."""
    provider = metrics.provider
    assert isinstance(provider, AmazonCloudWatchEMFProvider)
    if provider.metric_set:
        sys.stdout.write(json.dumps(provider.serialize_metric_set()) + "\n")
        provider.clear_metrics()
