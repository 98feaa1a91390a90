"""Events of API Gateway's REST APIs, payload format 1.0, as the format 2.0 that every function reads.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

VERSION = "2.0"


def as_version_2(event: dict[str, Any]) -> dict[str, Any]:
    """The event of a request in format 2.0; one that is in it already is given back.

    A REST API sends no `version`, names of headers as the client spelled them, and repeated values as lists: format 2.0
    has names in lower case and joins values with commas.
    """
    if event.get("version") == VERSION:
        return event
    context, query = event["requestContext"], _lists(event, "QueryStringParameters")
    identity = context.get("identity") or {}
    return {
        **event,
        "version": VERSION,
        "routeKey": f"{event['httpMethod']} {event['resource']}",
        "rawPath": event["path"],
        "rawQueryString": urlencode(query, doseq=True),
        "queryStringParameters": {name: ",".join(values) for name, values in query.items()},
        "headers": {name.lower(): ",".join(values) for name, values in _lists(event, "Headers").items()},
        "requestContext": {
            **context,
            "http": {
                "method": event["httpMethod"],
                "path": event["path"],
                "protocol": context.get("protocol", "HTTP/1.1"),
                "sourceIp": identity.get("sourceIp", ""),
                "userAgent": identity.get("userAgent") or "",
            },
            "stage": "$default",  # `path` is without the stage already
        },
    }


def _lists(event: Mapping[str, Any], what: str) -> dict[str, list[str]]:
    """`multiValue...` of the event, which has all values; without it, what has the last one of each."""
    many = event.get(f"multiValue{what}")
    if many is not None:
        return {name: [str(value) for value in values] for name, values in many.items()}
    single = event.get(what[0].lower() + what[1:]) or {}
    return {name: [str(value)] for name, value in single.items()}
