"""Events as API Gateway sends them (payload format 2.0), and what comes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketdata.observe import Handler
from marketdata.settings import Settings, settings_from

from local.invocation import Context

ENVIRONMENT = {
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_SERVICE_ROLE_KEY": "service-key",
    "CACHE_TTL_SECONDS": "0",
}


@dataclass(frozen=True)
class Answer:
    """What a function answered; headers by lower-case name."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The type of the problem document that this is."""
        assert self.headers["content-type"] == "application/problem+json", self
        kind: str = self.json["type"]
        return kind


def settings(**environment: str) -> Settings:
    """Settings of a deployment, with `environment` on top."""
    return settings_from(ENVIRONMENT | environment)


def event(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
) -> dict[str, Any]:
    """One request."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "test"}
    whole: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "headers": {"host": "api.example.com", **(headers or {})},
        "requestContext": {"http": http, "requestId": "request-1", "stage": "$default", "timeEpoch": 0},
        "isBase64Encoded": False,
    }
    optional = {"queryStringParameters": dict(query or {}), "body": body}
    return whole | {name: value for name, value in optional.items() if value}


def call(handler: Handler, request: dict[str, Any]) -> Answer:
    """Invoke `handler` as Lambda would: the event and the answer are JSON."""
    answered = json.loads(json.dumps(handler(json.loads(json.dumps(request)), context())))
    assert not answered["isBase64Encoded"]
    headers = {name.lower(): value for name, value in answered["headers"].items()}
    return Answer(answered["statusCode"], headers, answered["body"])


def get(handler: Handler, path: str, headers: Mapping[str, str] | None = None, **query: str) -> Answer:
    """A GET."""
    return call(handler, event("GET", path, query, headers))


def context() -> Context:
    """Lambda's context of a function that has half a minute."""
    return Context("api", 30, 512)
