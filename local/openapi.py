"""Draw docs/openapi.json, OpenAPI 3.1, from what the handlers of functions/ declare beside their routes.

`make openapi` writes it, and tests/functions/test_openapi.py holds the committed one against it. Nothing of this is
deployed: the document is.
Source: https://spec.openapis.org/oas/v3.1.1.html
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from marketdata.clock import SystemClock
from marketdata.routes import documents
from marketdata.serve.operation import JSON, Access, Answer, Operation, operation_of
from marketdata.serve.parameter import Parameter
from marketdata.serve.problems import CONTENT_TYPE, ProblemDocument
from marketdata.serve.router import Router
from marketdata.settings import settings_from
from marketdata.store.memory import MemoryStore

from infra.catalog import ROUTES, function_named
from local.openapi_promises import PROMISES, kept_promises
from local.openapi_words import ACCESS, GATEWAY_ANSWERS, HEADERS, INFO, MEDIA, QUOTA, REFUSALS, SERVERS, GatewayRefusal

SERVED = Path(documents.__file__).with_name(documents.DOCUMENT)
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"

TYPES = DOCUMENT.parents[1] / "clients" / "typescript" / "src" / "schema.ts"
TYPES_MAKER = DOCUMENT.parents[1] / "node_modules" / ".bin" / "openapi-typescript"

# No route is called, so none of it is used.
_ANY_ENVIRONMENT = {
    "MARKETDATA_LOCAL": "1",
    "SUPABASE_URL": "http://localhost",
    "SUPABASE_SERVICE_ROLE_KEY": "unused",
}

Schema = dict[str, Any]


def declared_routes() -> Iterator[tuple[str, str, Operation]]:
    """Every (method, path) that a function answers, as the catalog orders them, with what it declares of it."""
    settings = settings_from(_ANY_ENVIRONMENT)
    order = {(route.method, route.path): place for place, route in enumerate(ROUTES)}
    for name in dict.fromkeys(route.function for route in ROUTES):
        router = Router()
        import_module(function_named(name).module).add_routes(router, MemoryStore(), settings, SystemClock())
        spelled = ((one.method, re.sub(r"<(\w+)>", r"{\1}", one.path), one.handler) for one in router.routes())
        for method, path, handler in sorted(spelled, key=lambda one: order[one[0], one[1]]):
            operation = operation_of(handler)
            if operation is None:
                raise LookupError(f"{method} {path} of the function {name} declares nothing; see serve/operation.py")
            yield method, path, operation


def draw() -> Schema:
    """The whole document."""
    routes = list(declared_routes())
    shapes = _Shapes([operation for _, _, operation in routes])
    paths: dict[str, Schema] = {}
    named: set[str] = set()
    for method, path, operation in routes:
        drawn = _operation(operation, shapes)
        paths.setdefault(path, {})[method.lower()] = drawn | {"operationId": _unused(operation.name, path, named)}
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": SERVERS,
        "paths": paths,
        "components": {
            "schemas": shapes.components,
            "headers": HEADERS,
            "responses": {f"Refusal{status}": _refusal(status) for status in REFUSALS},
            "securitySchemes": {name: scheme for schemes in ACCESS.values() for name, scheme in schemes.items()},
        },
    }


def served() -> bytes:
    """The same as the api function serves it: without a blank too many."""
    return msgspec.json.encode(draw())


def text() -> str:
    """The file: indented, so that a difference is read line by line."""
    return msgspec.json.format(msgspec.json.encode(draw()), indent=1).decode() + "\n"


class _Shapes:
    """The types that operations name, as JSON Schemas with references between them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        names = dict.fromkeys(
            shape
            for operation in operations
            for shape in (*operation.body, *(answer.shape for answer in operation.answers))
            if shape
        )
        types = [_type(name) for name in names]
        drawn, self.components = msgspec.json.schema_components(
            [*types, ProblemDocument, GatewayRefusal], ref_template="#/components/schemas/{name}"
        )
        self._drawn = dict(zip(names, drawn, strict=False))

    def of(self, name: str) -> Schema:
        """The schema of a shape, or a reference to it."""
        return self._drawn[name]


def _type(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(f"marketdata.{module}"), attribute)


def _unused(name: str, path: str, named: set[str]) -> str:
    """The operation's name; its other routes are told apart by where they are, or by counting."""
    choices = [name, f"{name}_{path.strip('/').split('/')[0]}", *(f"{name}_{number}" for number in range(2, 10))]
    free = next(choice for choice in choices if choice not in named)
    named.add(free)
    return free


def _operation(operation: Operation, shapes: _Shapes) -> Schema:
    answers: dict[str, Schema] = {}
    for answer in operation.answers:
        status, one = str(answer.status), _answer(answer, shapes)
        answers[status] = _either(answers[status], one) if status in answers else one
    refusals = {
        str(status): {"$ref": f"#/components/responses/Refusal{status}"} for status in sorted(_refusals(operation))
    }
    drawn: Schema = {"summary": operation.summary}
    if operation.description:
        drawn["description"] = operation.description
    if operation.parameters:
        drawn["parameters"] = [_parameter(one) for one in operation.parameters]
    if operation.body:
        bodies = [shapes.of(name) for name in operation.body]
        schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
        drawn["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    # {} is nobody in particular: reads are public unless a setting closes them.
    anybody: list[Schema] = [{}] if operation.access is Access.PUBLIC else []
    drawn["security"] = anybody + [{name: []} for name in ACCESS[operation.access]]
    return drawn | {"responses": answers | refusals}


def _parameter(parameter: Parameter) -> Schema:
    also = f" Also {', '.join(f'`{name}`' for name in parameter.aliases)}." if parameter.aliases else ""
    drawn: Schema = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description + also,
        "schema": parameter.schema(),
    }
    if drawn["schema"].get("type") == "array":
        drawn |= {"style": "form", "explode": False}
    if parameter.example:
        drawn["example"] = parameter.example
    if parameter.aliases:
        drawn["x-aliases"] = list(parameter.aliases)
    return drawn


def _answer(answer: Answer, shapes: _Shapes) -> Schema:
    names = ("X-Request-Id", *QUOTA, *answer.headers)
    drawn: Schema = {"description": answer.description, "headers": {name: _header(name) for name in names}}
    if media := answer.media if answer.shape else [one for one in answer.media if one != JSON]:
        drawn["content"] = {one: {"schema": shapes.of(answer.shape) if one == JSON else MEDIA[one]} for one in media}
    return drawn


def _either(one: Schema, other: Schema) -> Schema:
    """Two answers of one status, both of JSON."""
    schemas = [answer["content"][JSON]["schema"] for answer in (one, other)]
    return {
        "description": f"{one['description']} Or: {other['description']}",
        "headers": one["headers"] | other["headers"],
        "content": {JSON: {"schema": {"anyOf": schemas}}},
    }


def _header(name: str) -> Schema:
    assert name in HEADERS, f"local/openapi_words.py does not describe {name}"
    return {"$ref": f"#/components/headers/{name}"}


def _refusals(operation: Operation) -> set[int]:
    """The statuses of its problems: what parameters, body and access bring with them, and what any request may meet."""
    names = {parameter.name for parameter in operation.parameters}
    found = {400, 401, 413, 429, 500, 503, 504, *operation.refusals}
    if names & {"symbol", "exchange", "job"} or operation.body:
        found.add(404)
    if "symbol" in names or operation.body:
        found.add(409)
    if "Idempotency-Key" in names:
        found.add(422)
    return found


def _refusal(status: int) -> Schema:
    names = ("X-Request-Id", *(("Retry-After",) if status in {429, 503} else ()), *(QUOTA if status == 429 else ()))
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    if status in GATEWAY_ANSWERS:
        # The gateway's own words, in which there is no request id of ours.
        content[JSON] = {"schema": {"$ref": "#/components/schemas/GatewayRefusal"}}
    headers = {name: _header(name) for name in names}
    return {"description": REFUSALS[status], "headers": headers, "content": content}


def main() -> None:
    """Write the document, what it promises from now on, and the types of the TypeScript client."""
    DOCUMENT.write_text(text())
    SERVED.write_bytes(served())
    PROMISES.write_text(kept_promises(PROMISES.read_text() if PROMISES.exists() else "", draw()))
    if TYPES_MAKER.exists():
        subprocess.run([TYPES_MAKER, DOCUMENT, "-o", TYPES], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- ours


if __name__ == "__main__":
    main()
