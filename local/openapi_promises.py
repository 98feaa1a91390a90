"""What a client of the API may rely on, line by line: docs/openapi-promises.txt. Additions only, within one version.

    GET /v1/candles                       the route is there
    GET /v1/candles ?order=desc           the parameter is, and takes this
    GET /v1/candles needs symbol          no other parameter is required
    GET /v1/candles 200 data[].open       the property is in the answer

A line that no longer holds is a breaking change: it needs another first number of `VERSION` in local/openapi_words.py,
with which the promises begin anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROMISES = Path(__file__).resolve().parents[1] / "docs" / "openapi-promises.txt"
_VERSION = "version "
_NEEDS = " needs "

Document = dict[str, Any]


def promises_of(document: Document) -> set[str]:
    """Every line that holds of `document`."""
    found: set[str] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            found |= {route, *(f"{route} {line}" for line in _of_operation(operation, document))}
    return found


def kept_promises(before: str, document: Document) -> str:
    """The file: what was promised before and what is new; what is new alone if the version began anew."""
    old = _lines(before) if _same_version(before, document) else set()
    return "\n".join([_VERSION + _major(document), *sorted(old | promises_of(document))]) + "\n"


def broken_promises(promised: str, document: Document) -> list[str]:
    """The lines that no longer hold, and what is asked now of who could do without it."""
    if not _same_version(promised, document):
        return []
    before, now = _lines(promised), promises_of(document)
    asked = {line for line in now - before if _NEEDS in line and line.partition(_NEEDS)[0] in before}
    return sorted({line for line in before - now if _NEEDS not in line} | asked)


def _lines(text: str) -> set[str]:
    return {line for line in text.splitlines() if line and not line.startswith(_VERSION)}


def _same_version(text: str, document: Document) -> bool:
    return text.startswith(f"{_VERSION}{_major(document)}\n")


def _major(document: Document) -> str:
    major: str = document["info"]["version"].partition(".")[0]
    return major


def _of_operation(operation: Document, document: Document) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        for name in (parameter["name"], *parameter.get("x-aliases", ())):
            yield f"?{name}"
        schema = parameter["schema"]
        for value in schema.get("enum") or schema.get("items", {}).get("enum") or ():
            yield f"?{parameter['name']}={value}"
        if parameter["required"]:
            yield f"needs {parameter['name']}"
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            yield f"{status} {media}"
            yield from (f"{status} {name}" for name in _properties(content["schema"], document, (), ""))


def _properties(schema: Document, document: Document, seen: tuple[str, ...], prefix: str) -> Iterator[str]:
    """The names of all properties inside, as `data[].open`; a shape inside itself is told once."""
    if reference := schema.get("$ref"):
        if reference not in seen:
            named = document["components"]["schemas"][reference.rpartition("/")[2]]
            yield from _properties(named, document, (*seen, reference), prefix)
        return
    for choice in schema.get("anyOf", ()):
        yield from _properties(choice, document, seen, prefix)
    if isinstance(schema.get("items"), dict):
        yield from _properties(schema["items"], document, seen, f"{prefix}[]")
    for name, inside in schema.get("properties", {}).items():
        whole = f"{prefix}.{name}" if prefix else name
        yield whole
        yield from _properties(inside, document, seen, whole)
