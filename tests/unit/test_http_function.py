"""What every function behind API Gateway shares."""

import base64
import gzip

import pytest
from marketdata.clock import Clock, FakeClock
from marketdata.errors import Ambiguous, RequestInvalid, Unauthorized
from marketdata.http_function import application, entry_point
from marketdata.observe import Handler
from marketdata.serve.router import Request, Response, Router
from marketdata.settings import Settings
from marketdata.store.store import Store
from marketdata.wiring import close_shared_store

from tests.functions.calls import ENVIRONMENT, context, event, get, settings
from tests.market import a_store, at


def failing_with(error: Exception) -> Handler:
    def add_routes(router: Router, _: Store, __: Settings, ___: Clock) -> None:
        @router.get("/fails")
        def fails(_: Request) -> Response:
            raise error

    return application(add_routes, a_store(), settings(), FakeClock(at("12:00")))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestInvalid("limit", "too many"), 400),
        (Unauthorized("no key"), 401),
        (Ambiguous("symbol", "two of them"), 409),
        (RuntimeError("a bug"), 500),
    ],
)
def test_whatever_a_route_raises_is_a_problem_document_with_the_requests_id(error: Exception, status: int) -> None:
    answer = get(failing_with(error), "/fails", headers={"x-request-id": "mine-7"})
    assert (answer.status, answer.json["status"], answer.json["instance"]) == (status, status, "/fails")
    assert answer.json["request_id"] == answer.headers["x-request-id"] == "mine-7"


def test_a_function_is_composed_once_and_anew_when_its_settings_change(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[Settings] = []

    def compose(store: Store, known: Settings, clock: Clock) -> Handler:
        composed.append(known)
        return lambda event, context: {"statusCode": 200, "headers": {}, "body": "{}", "isBase64Encoded": False}

    handler = entry_point("test", compose)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    for _ in range(2):
        assert get(handler, "/").status == 200
    monkeypatch.setenv("CRON_SECRET", "another-secret")
    assert get(handler, "/").status == 200
    close_shared_store()
    assert len(composed) == 2


def test_a_key_that_cannot_be_one_is_a_problem_that_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "a key with blanks")
    handler = entry_point("test", lambda store, known, clock: lambda event, context: {})
    answer = get(handler, "/")
    assert answer.status == 503
    assert "blanks" not in answer.text


def test_json_that_is_packed_arrives_as_it_was_packed() -> None:
    packed = gzip.compress(b'{"data":[]}')

    def add_routes(router: Router, _: Store, __: Settings, ___: Clock) -> None:
        @router.get("/packed")
        def answer(_: Request) -> Response:
            return Response(200, "application/json", packed, headers={"Content-Encoding": "gzip"})

    handler = application(add_routes, a_store(), settings(), FakeClock(at("12:00")))
    answered = handler(event("GET", "/packed"), context())
    assert (answered["statusCode"], answered["isBase64Encoded"]) == (200, True)
    assert base64.b64decode(answered["body"]) == packed
