"""A REST API's events say the same as an HTTP API's, in other words."""

import base64
import json
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.http_function import entry_point
from marketdata.serve.gateway_events import body, header, parameters, request_id
from marketdata.serve.rest_events import as_version_2

from functions.api.handler import application
from infra.catalog import function_named
from local.invocation import context_of
from tests.functions.calls import event, settings
from tests.market import a_store, at, minutes


def rest_event(**changed: Any) -> dict[str, Any]:
    """A request as a REST API's proxy integration sends it, shortened."""
    return {
        "resource": "/v1/candles",
        "path": "/v1/candles",
        "httpMethod": "GET",
        "headers": {"Accept": "application/json", "X-Api-Key": "two", "X-Request-Id": "mine-1"},
        "multiValueHeaders": {"Accept": ["application/json"], "X-Api-Key": ["one", "two"], "X-Request-Id": ["mine-1"]},
        "queryStringParameters": {"symbol": "BTC-USD", "state": "leased"},
        "multiValueQueryStringParameters": {"symbol": ["BTC-USD"], "state": ["open", "leased"]},
        "pathParameters": None,
        "requestContext": {
            "requestId": "aws-1",
            "stage": "live",
            "path": "/live/v1/candles",
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8"},
        },
        "body": None,
        "isBase64Encoded": False,
        **changed,
    }


def test_an_http_apis_event_is_left_as_it_is() -> None:
    given = event("GET", "/v1/candles")
    assert as_version_2(given) is given


def test_the_path_the_question_and_the_caller_are_where_functions_look() -> None:
    read = as_version_2(rest_event())
    assert (read["rawPath"], read["requestContext"]["http"]["method"]) == ("/v1/candles", "GET")
    assert read["requestContext"]["http"]["sourceIp"] == "203.0.113.7"
    assert read["rawQueryString"] == "symbol=BTC-USD&state=open&state=leased"
    assert parameters(read) == {"symbol": "BTC-USD", "state": "open,leased"}
    assert (header(read, "accept"), header(read, "x-api-key")) == ("application/json", "one,two")
    assert request_id(read) == "mine-1"


def test_no_headers_and_no_question_are_none() -> None:
    read = as_version_2(
        rest_event(
            headers=None, multiValueHeaders=None, queryStringParameters=None, multiValueQueryStringParameters=None
        )
    )
    assert (parameters(read), read["headers"], read["rawQueryString"]) == ({}, {}, "")
    assert request_id(read) == "aws-1"


def test_a_packed_body_is_unpacked() -> None:
    sent = base64.b64encode(b'{"symbols":[]}').decode()
    assert body(as_version_2(rest_event(body=sent, isBase64Encoded=True))) == b'{"symbols":[]}'


def test_a_function_answers_a_rest_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    read = entry_point("api", lambda *_: pytest.fail("composed without settings"))
    answered = read(rest_event(), context_of(function_named("api")))
    assert (answered["statusCode"], answered["headers"]["X-Request-Id"]) == (503, "mine-1")
    assert json.loads(answered["body"])["instance"] == "/v1/candles"


def test_candles_are_answered_to_a_rest_api_as_to_an_http_api() -> None:
    store, question = a_store(), {"symbol": "BTC-USD", "timeframe": "1m", "start": "2026-08-09T10:00Z", "limit": "3"}
    store.put_candles(minutes("10:00", "10:10"))
    api = application(store, settings(MARKETDATA_LOCAL="1"), FakeClock(at("12:00")))
    context = context_of(function_named("api"))
    asked = rest_event(
        queryStringParameters=question, multiValueQueryStringParameters={name: [one] for name, one in question.items()}
    )
    by_rest = api(as_version_2(asked), context)
    by_http = api(event("GET", "/v1/candles", question), context)
    assert by_rest["statusCode"] == by_http["statusCode"] == 200
    assert json.loads(by_rest["body"])["data"] == json.loads(by_http["body"])["data"]
    assert len(json.loads(by_rest["body"])["data"]) == 3
