"""The API's own documents: served at home, and elsewhere only where a setting says so."""

import base64
import gzip
import json

import pytest
from marketdata.clock import FakeClock
from marketdata.observe import Handler

from functions.api.handler import application
from local.openapi import draw
from tests.functions.calls import context, event, get, settings
from tests.market import a_store, at

PATHS = ["/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/v1/openapi.json"]


def api(**environment: str) -> Handler:
    return application(a_store(), settings(**environment), FakeClock(at("12:00")))


def test_the_document_that_is_served_is_the_one_that_handlers_declare() -> None:
    answer = get(api(API_DOCS="1"), "/v1/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == json.loads(json.dumps(draw()))


@pytest.mark.parametrize("path", PATHS)
def test_documents_are_off_unless_they_are_asked_for(path: str) -> None:
    assert get(api(), path).status == 404
    assert get(api(API_DOCS="0", MARKETDATA_LOCAL="1"), path).status == 404
    assert get(api(MARKETDATA_LOCAL="1"), path).status == 200


def test_the_page_runs_no_script_but_our_own_and_fetches_nothing_from_elsewhere() -> None:
    answer = get(api(API_DOCS="1"), "/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert "http" not in answer.text
    assert "<script>" not in answer.text


def test_what_is_large_is_packed_for_those_who_unpack() -> None:
    handler = api(API_DOCS="1")
    asked = event("GET", "/docs/swagger-ui-bundle.js", headers={"accept-encoding": "gzip"})
    answered = handler(asked, context())
    assert answered["isBase64Encoded"]
    assert answered["headers"]["Content-Encoding"] == "gzip"
    packed = base64.b64decode(answered["body"])
    assert len(packed) < 600_000
    assert b"SwaggerUIBundle" in gzip.decompress(packed)


def test_a_part_that_there_is_not_is_refused_by_name() -> None:
    answer = get(api(API_DOCS="1"), "/docs/passwords.txt")
    assert (answer.status, answer.problem) == (404, "/problems/not-found")
    assert "swagger-ui.css" in answer.json["choices"]
