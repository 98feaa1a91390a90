"""API Gateway's events, read."""

import base64

import pytest
from marketdata.errors import RequestInvalid
from marketdata.serve.gateway_events import body, header, parameters, problem_answer, request_id
from marketdata.serve.problems import problem_of

EVENT = {"rawPath": "/v1/candles", "requestContext": {"requestId": "gateway-1"}, "isBase64Encoded": False}


def test_what_is_not_there_is_empty() -> None:
    assert (parameters(EVENT), header(EVENT, "authorization"), body(EVENT)) == ({}, None, b"")


def test_a_body_is_the_bytes_that_were_sent() -> None:
    encoded = base64.b64encode(b"\xff\x00").decode()
    assert body(EVENT | {"body": "{}"}) == b"{}"
    assert body(EVENT | {"body": encoded, "isBase64Encoded": True}) == b"\xff\x00"


@pytest.mark.parametrize("broken", [{"body": "%%%", "isBase64Encoded": True}, {"body": "\ud800"}])
def test_a_body_that_is_not_as_the_event_says_is_the_callers_mistake(broken: dict[str, object]) -> None:
    with pytest.raises(RequestInvalid):
        body(EVENT | broken)


@pytest.mark.parametrize("given", ["a b", "x" * 65, "é", "a\nb", ""])
def test_a_request_id_that_could_do_harm_is_replaced(given: str) -> None:
    assert request_id(EVENT | {"headers": {"x-request-id": given}}) == "gateway-1"


def test_a_problem_is_an_answer() -> None:
    answer = problem_answer(EVENT, problem_of(RequestInvalid("limit", "too many")))
    assert (answer["statusCode"], answer["headers"]["X-Request-Id"]) == (400, "gateway-1")
    assert '"request_id":"gateway-1"' in answer["body"]
