"""What every function behind API Gateway shares: faults become problem documents, answers carry the request's id.

A function gives its routes; `entry_point` composes it on its first event. Beside `observe`, the only module below
the roof that knows Powertools: without it, each function would repeat this page.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.errors import NotFound, SettingsInvalid, StoreError
from marketdata.observe import Handler, count, logger, watched
from marketdata.serve.gateway_events import REQUEST_ID_HEADER, problem_answer, request_id
from marketdata.serve.problems import CONTENT_TYPE, Problem, problem_of
from marketdata.settings import Settings
from marketdata.store.store import Store

JSON = "application/json"

AddRoutes = Callable[[APIGatewayHttpResolver, Store, Settings, Clock], None]


def application(
    add_routes: AddRoutes, store: Store, settings: Settings, clock: Clock, cors: CORSConfig | None = None
) -> Handler:
    """A function over `store`: the routes that `add_routes` adds, and our manners."""
    app = APIGatewayHttpResolver(cors=cors)
    add_routes(app, store, settings, clock)

    @app.not_found
    def unknown_route(_: NotFoundError) -> Response[str]:
        raise NotFound("path", f"nothing answers {app.current_event.http_method} {app.current_event.path[:200]}")

    def failed(error: Exception) -> Response[str]:
        event, problem = app.current_event.raw_event, _reported(error)
        document = problem.document(event["rawPath"], request_id(event))
        return Response(problem.status, CONTENT_TYPE, document, headers=dict(problem.headers))

    app.exception_handler(Exception)(failed)

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        answered = app.resolve(event, context)
        answered["headers"][REQUEST_ID_HEADER] = request_id(event)
        return answered

    return answer


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
