"""Take trades that someone pushes: POST /v1/ingest with an `x-api-key` header, or `Authorization: Bearer`.

Event (payload format 2.0, shortened; event.json is whole):
    {"version": "2.0", "rawPath": "/v1/ingest", "headers": {"x-api-key": "..."}, "isBase64Encoded": false,
     "body": "...", "requestContext": {...}}
with a body of {"exchange": "coinbase", "trades": [{"symbol": "BTC-USD", "id": 1, "time": "2026-08-09T21:05:00.25Z",
                                                    "price": "65000.10", "size": "0.5", "side": "buy"}]}
Answer: 202 and {"accepted": 1, "duplicates": 0, "rejected": []}. `side` is the taker's; prices and sizes may be JSON
numbers too, which are read exactly.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from marketdata import http_function
from marketdata.clock import Clock
from marketdata.exchange_access import ids_contiguous
from marketdata.http_function import JSON, entry_point
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.take_ticks import take_ticks
from marketdata.observe import Handler, count
from marketdata.serve.access import bearer_token, require_key
from marketdata.serve.gateway_events import body, header
from marketdata.settings import Settings
from marketdata.store.store import Store


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The ingest door over `store`."""
    return http_function.application(add_routes, store, settings, clock)


def add_routes(app: APIGatewayHttpResolver, store: Store, settings: Settings, clock: Clock) -> None:
    """Add this function's routes, as infra/catalog.py lists them."""
    instruments = KnownInstruments(store, clock)

    @app.post("/v1/ingest")
    def ingest() -> Response[str]:
        event = app.current_event.raw_event
        _let_in(event, settings)
        taken = take_ticks(store, instruments, clock, body(event), ids_contiguous=ids_contiguous)
        count("TradesIngested", taken.accepted)
        return Response(202, JSON, taken.document())


def _let_in(event: dict[str, Any], settings: Settings) -> None:
    presented = header(event, "x-api-key") or bearer_token(header(event, "authorization"))
    keys = [key.get_secret_value() for key in settings.ingest_api_keys]
    require_key(presented, keys, setting="INGEST_API_KEYS", open_without_keys=settings.local)


handler = entry_point("ingest", application)
