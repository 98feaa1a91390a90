"""How a Lambda function is invoked, without Lambda: its handler, and the context that Lambda would hand it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from uuid import uuid4

from infra.catalog import Function

Handler = Callable[[dict[str, Any], Any], Any]
"""(event, context) to answer."""


@dataclass(frozen=True)
class Context:
    """Lambda's context object, as far as handlers may use it."""

    function_name: str
    timeout_seconds: float
    memory_limit_in_mb: int
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    started_seconds: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """An ARN of no account."""
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """How long until Lambda would cut this invocation off."""
        left_seconds = self.timeout_seconds - (time.monotonic() - self.started_seconds)
        return max(0, int(left_seconds * 1000))


def context_of(function: Function) -> Context:
    """A fresh context of one invocation, its time running."""
    return Context(function.name, function.timeout_seconds, function.memory_megabytes)


def load_handler(function: Function) -> Handler:
    """The very handler that Lambda would call."""
    handler: Handler = import_module(function.module).handler
    return handler
