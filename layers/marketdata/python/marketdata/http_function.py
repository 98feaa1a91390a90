"""What every function behind API Gateway shares: faults become problem documents, answers carry the request's id.

A function gives its routes; `entry_point` composes it on its first event. Beside `observe`, the only module below
the roof that knows Powertools: without it, each function would repeat this page.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.errors import MarketDataError, NotFound, SettingsInvalid, StoreError
from marketdata.jobs.front_door import Admitted, Door, FrontDoor
from marketdata.observe import Handler, count, logger, watched
from marketdata.serve.cors import Cors
from marketdata.serve.gateway_events import (
    REQUEST_ID_HEADER,
    add_headers,
    check_size,
    problem_answer,
    request_id,
    with_caller,
)
from marketdata.serve.problems import CONTENT_TYPE, Problem, problem_of
from marketdata.settings import Settings
from marketdata.store.store import Store

JSON = "application/json"

AddRoutes = Callable[[APIGatewayHttpResolver, Store, Settings, Clock], None]


def application(
    add_routes: AddRoutes, store: Store, settings: Settings, clock: Clock, door: Door = Door.READ
) -> Handler:
    """A function over `store`: the routes that `add_routes` adds, behind `door`, and our manners."""
    # Every body is encoded already, and JSON may be packed: the resolver's own serializer would take it for a value.
    app = APIGatewayHttpResolver(serializer=_as_it_is)
    add_routes(app, store, settings, clock)
    front = wiring.front_door(settings, store, clock, door, failed=lambda: count("RequestsCountedAlone"))
    cors = Cors(settings.cors_origins)

    @app.not_found
    def unknown_route(_: NotFoundError) -> Response[str]:
        raise NotFound("path", f"nothing answers {app.current_event.http_method} {app.current_event.path[:200]}")

    def failed(error: Exception) -> Response[str]:
        event, problem = app.current_event.raw_event, _reported(error)
        document = problem.document(event["rawPath"], request_id(event))
        return Response(problem.status, CONTENT_TYPE, document, headers=dict(problem.headers))

    app.exception_handler(Exception)(failed)

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        http = event["requestContext"]["http"]
        if http["method"] == "OPTIONS":
            return _preflight(event, cors)
        admitted = _admit(front, event)
        if isinstance(admitted, Admitted):
            answered = app.resolve(with_caller(event, admitted.caller), context)
            add_headers(answered, admitted.headers)
        else:
            answered = admitted
        add_headers(answered, cors.headers(http["method"], (event.get("headers") or {}).get("origin")))
        answered["headers"][REQUEST_ID_HEADER] = request_id(event)
        return answered

    return answer


def _as_it_is(body: Any) -> Any:
    return body


def _admit(front: FrontDoor, event: dict[str, Any]) -> Admitted | dict[str, Any]:
    """What is known of the caller; or the answer that keeps it out."""
    try:
        check_size(event)
        return front.admit(event)
    except MarketDataError as error:
        return problem_answer(event, _reported(error))


def _preflight(event: dict[str, Any], cors: Cors) -> dict[str, Any]:
    headers = {REQUEST_ID_HEADER: request_id(event), **cors.preflight(event.get("headers") or {})}
    return {"statusCode": 204, "headers": headers, "body": "", "isBase64Encoded": False}


def entry_point(function: str, compose: Callable[[Store, Settings, Clock], Handler]) -> Handler:
    """Lambda's handler of `function`: composed from the environment and watched.

    While a setting is missing or wrong it answers so, instead of failing to start.
    """

    composed = lru_cache(maxsize=1)(lambda store, settings: compose(store, settings, SystemClock()))

    @watched(function)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            settings = wiring.settings()
            ready = composed(wiring.shared_store(settings), settings)
        except (SettingsInvalid, StoreError) as error:
            return problem_answer(event, _reported(error))
        return ready(event, context)

    return handler


def _reported(error: Exception) -> Problem:
    """The problem that tells of `error`; what is not the caller's to change is logged and counted."""
    problem = problem_of(error)
    if problem.status >= 500:
        count("Problems")
        logger.error("request failed", exc_info=error, extra={"problem": problem.slug})
    return problem
