"""API Gateway's events and answers, payload format 2.0, as far as every function needs them.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from marketdata.errors import RequestInvalid, TooLarge
from marketdata.serve.problems import CONTENT_TYPE, Problem

REQUEST_ID_HEADER = "X-Request-Id"

QUERY_CHARACTERS_MAX = 8_192
BODY_BYTES_MAX = 1_000_000

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def parameters(event: Mapping[str, Any]) -> dict[str, str]:
    """The query string; API Gateway joins repeated parameters with commas."""
    return event.get("queryStringParameters") or {}


def header(event: Mapping[str, Any], name: str) -> str | None:
    """A header by its lower-case name, as API Gateway sends them."""
    value: str | None = (event.get("headers") or {}).get(name)
    return value


def body(event: Mapping[str, Any]) -> bytes:
    """The body as it came. Raises: RequestInvalid if it is not as the event says."""
    text = event.get("body") or ""
    try:
        return base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise RequestInvalid("body", "cannot be read") from error


def request_id(event: Mapping[str, Any]) -> str:
    """The caller's own X-Request-Id if it is a plain one, else API Gateway's."""
    given = header(event, REQUEST_ID_HEADER.lower()) or ""
    return given if _REQUEST_ID.fullmatch(given) else str(event["requestContext"]["requestId"])


def check_size(event: Mapping[str, Any]) -> None:
    """Raises: TooLarge for more than any request of ours needs."""
    if len(event.get("rawQueryString") or "") > QUERY_CHARACTERS_MAX:
        raise TooLarge("query", f"has more than {QUERY_CHARACTERS_MAX:,} characters")
    # In base64 a body is a third longer.
    if len(event.get("body") or "") > BODY_BYTES_MAX * 4 // 3 + 4:
        raise TooLarge("body", f"has more than {BODY_BYTES_MAX:,} bytes")


def with_caller(event: dict[str, Any], caller: str) -> dict[str, Any]:
    """The event with who asks, where API Gateway puts what an authorizer found out; whatever came there is gone."""
    context = {**event["requestContext"], "authorizer": {"lambda": {"caller": caller}}}
    return {**event, "requestContext": context}


def caller(event: Mapping[str, Any]) -> str:
    """Who asks, as `with_caller` put it; "" is anybody."""
    name: str = event["requestContext"]["authorizer"]["lambda"]["caller"]
    return name


def add_headers(answered: dict[str, Any], headers: Mapping[str, str]) -> None:
    """Add headers to an answer; `Vary` grows, others that are there stay."""
    given = answered["headers"]
    for name, value in headers.items():
        if name == "Vary" and given.get(name):
            given[name] = f"{given[name]}, {value}"
        else:
            given.setdefault(name, value)


def problem_answer(event: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """The answer that tells the caller of `problem`."""
    given_id = request_id(event)
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": CONTENT_TYPE, REQUEST_ID_HEADER: given_id, **problem.headers},
        "body": problem.document(event["rawPath"], given_id),
        "isBase64Encoded": False,
    }
