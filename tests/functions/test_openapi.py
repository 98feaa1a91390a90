"""docs/openapi.json: drawn from the handlers, whole, and never taking back what it promised."""

from copy import deepcopy
from typing import Any

import msgspec
import pytest
from marketdata.routes.documents import document_bytes

from infra.catalog import DEFAULT_PATH, ROUTES
from local.openapi import DOCUMENT, declared_routes, draw, served, text
from local.openapi_promises import PROMISES, broken_promises, kept_promises

ROUTES_NAMED = {(route.method, route.path) for route in ROUTES if route.path != DEFAULT_PATH}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as the handlers declare it now."""
    drawn: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(draw()))
    return drawn


def test_the_committed_document_is_what_the_handlers_declare() -> None:
    assert DOCUMENT.read_text() == text(), "run `make openapi`, and commit what it wrote"
    assert document_bytes() == served(), "run `make openapi`, and commit what it wrote"


def test_the_document_has_the_routes_of_the_catalog_and_no_others(document: dict[str, Any]) -> None:
    drawn = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert drawn == ROUTES_NAMED
    assert {(method, path) for method, path, _ in declared_routes()} == ROUTES_NAMED


def test_an_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_a_parameter_in_a_path_is_declared(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            declared = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_promises_are_kept_and_written_down(document: dict[str, Any]) -> None:
    promised = PROMISES.read_text()
    assert broken_promises(promised, document) == []
    assert kept_promises(promised, document) == promised, "run `make openapi`, and commit what it wrote"


def test_a_route_a_property_or_a_choice_that_goes_away_breaks_a_promise(document: dict[str, Any]) -> None:
    promised = kept_promises("", document)
    less = deepcopy(document)
    del less["paths"]["/v1/gaps"]
    del less["components"]["schemas"]["CandleRecord"]["properties"]["vwap"]
    limits = next(one for one in less["paths"]["/v1/candles"]["get"]["parameters"] if one["name"] == "order")
    limits["schema"]["enum"].remove("desc")
    broken = broken_promises(promised, less)
    assert "GET /v1/gaps" in broken
    assert "GET /v1/candles 200 data[].vwap" in broken
    assert "GET /v1/candles ?order=desc" in broken


def test_a_parameter_that_becomes_required_breaks_a_promise_and_a_new_route_does_not(document: dict[str, Any]) -> None:
    promised = kept_promises("", document)
    more = deepcopy(document)
    next(one for one in more["paths"]["/v1/gaps"]["get"]["parameters"] if one["name"] == "symbol")["required"] = True
    more["paths"]["/v1/more"] = more["paths"]["/v1/candles"]
    assert broken_promises(promised, more) == ["GET /v1/gaps needs symbol"]


def test_another_version_promises_anew(document: dict[str, Any]) -> None:
    promised = kept_promises("", document)
    less = deepcopy(document)
    del less["paths"]["/v1/gaps"]
    less["info"]["version"] = "2.0.0"
    assert broken_promises(promised, less) == []
    assert "/v1/gaps" not in kept_promises(promised, less)


def references(part: Any) -> list[str]:
    """Every $ref inside."""
    if isinstance(part, list):
        return [found for one in part for found in references(one)]
    if not isinstance(part, dict):
        return []
    here = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return here + [found for one in part.values() for found in references(one)]
