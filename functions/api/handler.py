"""The public API: candles, gaps, coverage, statistics, jobs, instruments, status, health. API Gateway sends every GET.

Event (payload format 2.0, shortened; event.json is whole):
    {"version": "2.0", "rawPath": "/v1/candles", "queryStringParameters": {"symbol": "BTC-USD", "timeframe": "1m"},
     "headers": {...}, "requestContext": {"requestId": "...", "stage": "$default", "http": {"method": "GET", ...}}}
Answer: {"statusCode": 200, "headers": {...}, "body": "{\\"data\\":[...],\\"next_cursor\\":null,\\"meta\\":{...}}"}
"""

from collections.abc import Mapping
from functools import partial
from importlib import import_module

from marketdata import http_function
from marketdata.clock import Clock
from marketdata.http_function import entry_point
from marketdata.observe import Handler
from marketdata.routes import candles, health
from marketdata.routes.desk import Desk, desk
from marketdata.serve.router import Router
from marketdata.settings import Settings
from marketdata.store.store import Store

PARTS: Mapping[str, tuple[str, ...]] = {
    "alerts": ("/v1/alerts",),
    "completeness": ("/v1/gaps", "/v1/coverage"),
    "documents": ("/docs", "/v1/openapi.json"),
    "exports": ("/v1/exports",),
    "old_reports": ("/gaps", "/symbols", "/status", "/api/metadata"),
    "reports": ("/v1/metadata", "/v1/metrics", "/api/metrics", "/metrics"),
    "running": ("/v1/jobs", "/v1/instruments", "/v1/status"),
    "statistics": ("/v1/roi", "/v1/snapshots", "/v1/comparisons"),
    "ticks": ("/v1/ticks/", "/api/v1/ticks/"),
}
"""Modules of marketdata.routes that are imported with the first question for one of their paths: a cold start is about
one route, and nearly always about candles."""


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The API over `store`."""
    return http_function.application(add_routes, store, settings, clock)


def add_routes(router: Router, store: Store, settings: Settings, clock: Clock) -> None:
    """Add this function's routes, as infra/catalog.py lists them."""
    made = desk(router, store, settings, clock)
    candles.add(made)
    health.add(made)
    for name, beginnings in PARTS.items():
        router.later(beginnings, partial(_add, name, made))


def _add(name: str, made: Desk) -> None:
    import_module(f"marketdata.routes.{name}").add(made)


handler = entry_point("api", application)
