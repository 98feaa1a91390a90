"""Which handler answers a request; parts of the table that are made when somebody asks."""

from typing import Any

import pytest
from marketdata.errors import NotFound
from marketdata.serve.router import Request, Response, Router, path_of

from tests.functions.calls import event


def asked(router: Router, method: str, path: str, **parameters: str) -> Response:
    return router.respond(Request(event(method, path, parameters), None))


def said(text: str) -> Response:
    return Response(200, "text/plain", text)


def test_method_and_path_choose_the_handler() -> None:
    router = Router()
    router.get("/things")(lambda _: said("all"))
    router.post("/things")(lambda _: said("one more"))
    router.route("/both", ("GET", "POST"))(lambda request: said(request.event["requestContext"]["http"]["method"]))
    told = [asked(router, *one).body for one in (("GET", "/things"), ("POST", "/things"), ("GET", "/both"))]
    assert told == ["all", "one more", "GET"]


@pytest.mark.parametrize(("method", "path"), [("PUT", "/things"), ("GET", "/things/"), ("GET", "/"), ("GET", "/thing")])
def test_what_no_route_answers_is_not_found(method: str, path: str) -> None:
    router = Router()
    router.get("/things")(lambda _: said("all"))
    with pytest.raises(NotFound, match=f"nothing answers {method} {path}"):
        asked(router, method, path)


@pytest.mark.parametrize(
    ("part", "given"),
    [("BTC-USD", "BTC-USD"), ("BTC%2FUSD", "BTC/USD"), ("b%C3%A4r", "bär"), ("EUR-USD:bid", "EUR-USD:bid")],
)
def test_a_part_of_the_path_is_given_to_the_handler_as_it_was_meant(part: str, given: str) -> None:
    router = Router()
    router.get("/ticks/<symbol>")(lambda _, symbol: said(symbol))
    router.get("/ticks/<symbol>/history")(lambda _, symbol: said(f"history of {symbol}"))
    assert asked(router, "GET", f"/ticks/{part}").body == given
    assert asked(router, "GET", f"/ticks/{part}/history").body == f"history of {given}"


def test_a_path_that_is_named_whole_comes_before_one_with_parts() -> None:
    router = Router()
    router.get("/exports/<id>")(lambda _, id: said(id))
    router.get("/exports/newest")(lambda _: said("the newest"))
    assert asked(router, "GET", "/exports/newest").body == "the newest"


def test_a_pattern_takes_one_part_of_the_path_literally() -> None:
    router = Router()
    router.get("/docs/a.js/<file>")(lambda _, file: said(file))
    for path in ("/docs/aXjs/x", "/docs/a.js/x/y", "/docs/a.js/"):
        with pytest.raises(NotFound):
            asked(router, "GET", path)


def test_a_part_is_added_by_the_first_request_that_may_be_for_it_and_once() -> None:
    router, added = Router(), []

    def add() -> None:
        added.append(1)
        router.get("/alerts")(lambda _: said("none"))

    router.get("/candles")(lambda _: said("many"))
    router.later(("/alerts", "/alarms"), add)
    assert asked(router, "GET", "/candles").body == "many"
    with pytest.raises(NotFound):
        asked(router, "GET", "/nothing")
    assert not added
    assert [asked(router, "GET", "/alerts").body for _ in range(2)] == ["none", "none"]
    with pytest.raises(NotFound):
        asked(router, "GET", "/alerts/9")
    assert len(added) == 1


def test_a_part_that_could_not_be_added_is_tried_again() -> None:
    router, tries = Router(), iter([RuntimeError("not yet"), None])

    def add() -> None:
        trouble = next(tries)
        if trouble:
            raise trouble
        router.get("/alerts")(lambda _: said("none"))

    router.later(("/alerts",), add)
    with pytest.raises(RuntimeError):
        asked(router, "GET", "/alerts")
    assert asked(router, "GET", "/alerts").body == "none"


def test_all_routes_are_told_with_those_of_parts_that_nobody_asked_for() -> None:
    router = Router()

    def add() -> None:
        router.get("/alerts")(lambda _: said("none"))

    router.get("/things/<id>")(lambda _, id: said(id))
    router.later(("/alerts",), add)
    assert sorted((one.method, one.path) for one in router.routes()) == [("GET", "/alerts"), ("GET", "/things/<id>")]


@pytest.mark.parametrize(
    ("body", "answered", "packed"),
    [("{}", "{}", False), (b"\x1f\x8b", "H4s=", True), (None, "", False), ("", "", False)],
)
def test_a_body_travels_as_text_or_as_base64(body: str | bytes | None, answered: str, packed: bool) -> None:
    told = Response(200, "application/json", body, {"ETag": '"a"'}).answer()
    assert told == {
        "statusCode": 200,
        "headers": {"ETag": '"a"', "Content-Type": "application/json"},
        "body": answered,
        "isBase64Encoded": packed,
    }


def test_an_answer_without_a_body_need_not_say_what_it_is() -> None:
    assert Response(304, None).answer()["headers"] == {}


def test_a_stage_is_no_part_of_the_path() -> None:
    def at(path: str, stage: str) -> dict[str, Any]:
        return {"rawPath": path, "requestContext": {"stage": stage}}

    assert path_of(at("/v1/candles", "$default")) == "/v1/candles"
    assert path_of(at("/prod/v1/candles", "prod")) == "/v1/candles"


def test_a_request_tells_its_parameters_and_headers() -> None:
    request = Request({"queryStringParameters": {"limit": "5"}, "headers": {"accept": "text/csv"}}, None)
    assert (request.parameters["limit"], request.header("accept"), request.header("origin")) == ("5", "text/csv", None)
    assert (Request({}, None).parameters, Request({}, None).header("accept")) == ({}, None)
