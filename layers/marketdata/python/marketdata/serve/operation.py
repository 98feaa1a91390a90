"""What a route is to those who call it, declared beside its handler and once; docs/openapi.json is drawn from it.

    @app.get("/v1/gaps")
    @declared("gaps", "Gaps of the ledger.", "serve.gaps_json.Gaps", GAPS)
    def gaps() -> Response[str]:

Handlers only carry the declaration; local/openapi.py reads it. So a shape is named and not imported: what is there for
the document alone costs a cold start nothing.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from marketdata.serve.parameter import Parameter

JSON = "application/json"

Function = TypeVar("Function", bound=Callable[..., Any])


class Access(StrEnum):
    """Who is let in; the schemes of docs/openapi.json."""

    PUBLIC = "public"
    READER = "reader"
    INGEST = "ingest"
    CRON = "cron"


class Answer(msgspec.Struct, frozen=True):
    """An answer that is no problem. `shape` is the JSON body's type below `marketdata`; empty where there is none.

    `media` are all the types it is had in, `headers` what it carries beside X-Request-Id: names of local/openapi_words.
    """

    shape: str
    description: str = "The answer."
    status: int = 200
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True):
    """One route. `body` has the shapes of JSON that may be sent; `refusals` the statuses that only this one answers.

    The refusals that follow from parameters, body and access need not be named: local/openapi.py knows them.
    """

    name: str
    summary: str
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: tuple[str, ...] = ()
    access: Access = Access.PUBLIC
    refusals: tuple[int, ...] = ()
    description: str = ""


def declared(
    name: str,
    summary: str,
    answer: str | Answer | tuple[Answer, ...],
    parameters: tuple[Parameter, ...] = (),
    *,
    body: str | tuple[str, ...] = (),
    access: Access = Access.PUBLIC,
    refusals: tuple[int, ...] = (),
    description: str = "",
) -> Callable[[Function], Function]:
    """Declare the route whose handler follows; `answer` is a shape alone where it is a 200 in JSON."""
    whole = Answer(answer) if isinstance(answer, str) else answer
    answers = whole if isinstance(whole, tuple) else (whole,)
    bodies = (body,) if isinstance(body, str) else body
    operation = Operation(name, summary, answers, parameters, bodies, access, refusals, description)

    def declare(function: Function) -> Function:
        function.operation = operation  # type: ignore[attr-defined]
        return function

    return declare


def operation_of(function: Callable[..., Any]) -> Operation | None:
    """The declaration that a handler carries."""
    found: Operation | None = getattr(function, "operation", None)
    return found
