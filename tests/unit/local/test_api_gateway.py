"""API Gateway on one machine, over real HTTP: requests become events, answers become responses."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from marketdata.clock import FakeClock
from yarl import URL

from functions.api.handler import application as api
from functions.cron.handler import application as cron
from functions.ingest.handler import application as ingest
from infra.catalog import Function, Route
from local.api_gateway import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, add_api_routes
from local.invocation import Handler
from tests.functions.calls import settings
from tests.market import a_store, at, minutes

ECHO = Function("echo", "Shows the event.", timeout_seconds=10, memory_megabytes=128)
ROUTES = (
    Route("GET", "/v1/echo", "echo"),
    Route("POST", "/v1/echo", "echo"),
    Route("POST", "/v1/jobs/{job}", "echo"),
    Route("ANY", "$default", "echo"),
)

Serve = Callable[..., Awaitable[ClientSession]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Puts up a gateway and gives a client of it; both are taken down at the end."""
    standing: list[tuple[ClientSession, TestServer]] = []

    async def put_up(handler: Handler, function: Function = ECHO) -> ClientSession:
        app = web.Application()
        handlers = {function.name: handler}
        add_api_routes(app, functions=[function], routes=ROUTES, handlers=handlers, clock=FakeClock(at("12:00")))
        server = TestServer(app)
        await server.start_server()
        client = ClientSession(server.make_url("/"))
        standing.append((client, server))
        return client

    yield put_up
    for client, server in standing:
        await client.close()
        await server.close()


class Echo:
    """A handler that keeps the events it got."""

    def __init__(self, answer: Any = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer = answer or {"statusCode": 200, "body": "ok"}

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.events.append(event)
        return self.answer


async def test_a_request_becomes_an_event_of_payload_format_2(serve: Serve) -> None:
    echo = Echo()
    client = await serve(echo)
    headers = [("X-One", "a"), ("X-One", "b"), ("Cookie", "c=1; d=2"), ("User-Agent", "a-client")]
    url = URL("/v1/echo?symbol=BTC%2FUSD&tag=1&tag=2&empty=", encoded=True)
    async with client.get(url, headers=headers) as response:
        assert response.status == 200
    (event,) = echo.events
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "GET /v1/echo", "/v1/echo")
    assert event["rawQueryString"] == "symbol=BTC%2FUSD&tag=1&tag=2&empty="
    assert event["queryStringParameters"] == {"symbol": "BTC/USD", "tag": "1,2", "empty": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-one"] == "a,b"
    assert "cookie" not in event["headers"]
    assert ("body" in event, event["isBase64Encoded"], "pathParameters" in event) == (False, False, False)
    context = event["requestContext"]
    assert context["http"] | {"sourceIp": ""} == {
        "method": "GET",
        "path": "/v1/echo",
        "protocol": "HTTP/1.1",
        "sourceIp": "",
        "userAgent": "a-client",
    }
    assert (context["stage"], context["timeEpoch"]) == ("$default", int(at("12:00").timestamp() * 1000))


async def test_parameters_in_the_path_are_named(serve: Serve) -> None:
    echo = Echo()
    client = await serve(echo)
    await client.post("/v1/jobs/roll_up")
    assert echo.events[0]["routeKey"] == "POST /v1/jobs/{job}"
    assert echo.events[0]["pathParameters"] == {"job": "roll_up"}


@pytest.mark.parametrize(("body", "sent", "encoded"), [(b"{}", "{}", False), (b"\xff", "/w==", True)])
async def test_a_body_is_text_or_else_base64(serve: Serve, body: bytes, sent: str, encoded: bool) -> None:
    echo = Echo()
    client = await serve(echo)
    await client.post("/v1/echo", data=body)
    assert (echo.events[0]["body"], echo.events[0]["isBase64Encoded"]) == (sent, encoded)


async def test_an_answer_becomes_a_response_with_its_headers_and_cookies(serve: Serve) -> None:
    answer = {
        "statusCode": 418,
        "headers": {"Content-Type": "application/problem+json", "X-Request-Id": "mine-7"},
        "cookies": ["a=1", "b=2"],
        "body": "{}",
    }
    client = await serve(Echo(answer))
    async with client.get("/v1/echo") as response:
        assert (response.status, await response.text()) == (418, "{}")
        assert response.headers.getall("Content-Type") == ["application/problem+json"]
        assert response.headers["X-Request-Id"] == "mine-7"
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]


async def test_an_answer_in_base64_is_sent_as_bytes(serve: Serve) -> None:
    body = base64.b64encode(b"\x00\xff").decode()
    client = await serve(Echo({"statusCode": 200, "body": body, "isBase64Encoded": True}))
    async with client.get("/v1/echo") as response:
        assert await response.read() == b"\x00\xff"


async def test_an_answer_without_a_status_is_the_body_of_a_200(serve: Serve) -> None:
    client = await serve(Echo({"some": "thing"}))
    async with client.get("/v1/echo") as response:
        assert (response.status, await response.json()) == (200, {"some": "thing"})


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": 200, "body": "x" * ANSWER_BYTES_MAX},
        {"statusCode": 200, "body": '"' * (ANSWER_BYTES_MAX // 2)},
        {"statusCode": "many", "body": ""},
        {"statusCode": 200, "body": object()},
    ],
    ids=["too large", "too large once escaped", "no status", "no JSON"],
)
async def test_an_answer_that_lambda_could_not_give_is_a_500(serve: Serve, answer: dict[str, Any]) -> None:
    client = await serve(Echo(answer))
    async with client.get("/v1/echo") as response:
        assert (response.status, await response.json()) == (500, {"message": "Internal Server Error"})


async def test_a_handler_that_fails_is_a_500_without_its_insides(serve: Serve) -> None:
    def fail(event: dict[str, Any], context: Any) -> Any:
        raise RuntimeError("a secret")

    client = await serve(fail)
    async with client.get("/v1/echo") as response:
        assert (response.status, await response.json()) == (500, {"message": "Internal Server Error"})


async def test_a_body_beyond_ten_megabytes_is_refused_and_the_handler_not_called(serve: Serve) -> None:
    echo = Echo()
    client = await serve(echo)
    async with client.post("/v1/echo", data=BytesIO(bytes(REQUEST_BYTES_MAX + 1))) as response:
        assert response.status == 413
    assert echo.events == []


async def test_a_function_that_outlasts_its_time_is_a_504(serve: Serve) -> None:
    done = threading.Event()

    def hang(event: dict[str, Any], context: Any) -> Any:
        done.wait(30)
        return {"statusCode": 200}

    client = await serve(hang, Function("echo", "Hangs.", timeout_seconds=0, memory_megabytes=128))
    async with client.get("/v1/echo") as response:
        assert response.status == 504
    done.set()


async def test_handlers_are_called_one_at_a_time(serve: Serve) -> None:
    inside = threading.Semaphore(1)

    def alone(event: dict[str, Any], context: Any) -> Any:
        assert inside.acquire(blocking=False), "another event is being handled"
        threading.Event().wait(0.01)
        inside.release()
        return {"statusCode": 200, "body": event["queryStringParameters"]["n"]}

    client = await serve(alone)

    async def ask(number: int) -> str:
        async with client.get(f"/v1/echo?n={number}") as response:
            return await response.text()

    assert await asyncio.gather(*(ask(number) for number in range(20))) == [str(number) for number in range(20)]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("DELETE", "/v1/echo"), ("OPTIONS", "/v1/echo")])
async def test_what_no_route_takes_below_v1_goes_to_the_default(serve: Serve, method: str, path: str) -> None:
    echo = Echo()
    client = await serve(echo)
    await client.request(method, path)
    assert echo.events[0]["routeKey"] == "$default"


async def test_the_rest_of_the_application_is_left_alone(serve: Serve) -> None:
    echo = Echo()
    client = await serve(echo)
    async with client.get("/elsewhere") as response:
        assert response.status == 404
    assert echo.events == []


@pytest.fixture
async def house() -> AsyncIterator[ClientSession]:
    """The whole catalog with its real functions, over a store in memory."""
    store, known, clock = a_store(), settings(MARKETDATA_LOCAL="1"), FakeClock(at("12:00"))
    store.put_candles(minutes("10:00", "10:10"))
    handlers = {name: make(store, known, clock) for name, make in {"api": api, "cron": cron, "ingest": ingest}.items()}
    app = web.Application()
    add_api_routes(app, handlers=handlers | {"roll_up": handlers["cron"]}, clock=clock)
    server = TestServer(app)
    await server.start_server()
    async with ClientSession(server.make_url("/")) as client:
        yield client
    await server.close()


async def test_candles_over_http(house: ClientSession) -> None:
    async with house.get("/v1/candles", params={"symbol": "BTC-USD", "limit": "2"}) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert len((await response.json())["data"]) == 2


async def test_a_push_then_a_job_then_an_hour(house: ClientSession) -> None:
    trade = {"symbol": "BTC-USD", "id": 9, "time": "2026-08-09T11:00:00Z", "price": "99", "size": "1", "side": "buy"}
    async with house.post("/v1/ingest", json={"exchange": "coinbase", "trades": [trade]}) as response:
        assert response.status == 202
    async with house.post("/v1/cron/roll_up") as response:
        assert (await response.json())["result"]["drained"] is True
    async with house.get("/v1/candles", params={"symbol": "BTC-USD", "tf": "1h"}) as response:
        closes = [record["close"] for record in (await response.json())["data"]]
    assert closes == ["100.5", "99"]


async def test_many_questions_at_once_get_their_own_answers(house: ClientSession) -> None:
    async def ask(limit: int) -> int:
        async with house.get("/v1/candles", params={"symbol": "BTC-USD", "limit": str(limit)}) as response:
            return len((await response.json())["data"])

    limits = [1 + number % 10 for number in range(50)]
    assert await asyncio.gather(*map(ask, limits)) == limits


async def test_an_unknown_route_below_v1_is_a_problem_document(house: ClientSession) -> None:
    async with house.get("/v1/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
