"""What every function behind API Gateway shares: faults become problem documents, answers carry the request's id.

A function gives its routes; `entry_point` composes it on its first event.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.errors import MarketDataError, SettingsInvalid, StoreError
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
from marketdata.serve.problems import Problem, problem_of
from marketdata.serve.rest_events import as_version_2
from marketdata.serve.router import Request, Router
from marketdata.settings import Settings
from marketdata.store.store import Store

JSON = "application/json"

AddRoutes = Callable[[Router, Store, Settings, Clock], None]


def application(
    add_routes: AddRoutes, store: Store, settings: Settings, clock: Clock, door: Door = Door.READ
) -> Handler:
    """A function over `store`: the routes that `add_routes` adds, behind `door`, and our manners."""
    router = Router()
    add_routes(router, store, settings, clock)
    front = wiring.front_door(settings, store, clock, door, failed=lambda: count("RequestsCountedAlone"))
    cors = Cors(settings.cors_origins)

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        http = event["requestContext"]["http"]
        if http["method"] == "OPTIONS":
            return _preflight(event, cors)
        admitted = _admit(front, event)
        if isinstance(admitted, Admitted):
            answered = _answered(router, with_caller(event, admitted.caller), context)
            add_headers(answered, admitted.headers)
        else:
            answered = admitted
        add_headers(answered, cors.headers(http["method"], (event.get("headers") or {}).get("origin")))
        answered["headers"][REQUEST_ID_HEADER] = request_id(event)
        return answered

    return answer


def _answered(router: Router, event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        return router.respond(Request(event, context)).answer()
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a problem document, and is logged
        return problem_answer(event, _reported(error))


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
        event = as_version_2(event)
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
