"""The table of functions, routes and schedules, held against the functions themselves."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.run_job import JOBS
from marketdata.serve.router import Router

from infra.catalog import DEFAULT_PATH, FUNCTIONS, NOTICES, ROUTES, SCHEDULES, Function, Route, function_named
from tests.functions.calls import call, event, settings
from tests.market import a_store, at

ROOT = Path(__file__).resolve().parents[3]
NAMED = [route for route in ROUTES if route.path != DEFAULT_PATH]
BEHIND_ROUTES = sorted({route.function for route in ROUTES})


def answered_routes(function: Function) -> Iterator[tuple[str, str]]:
    """Every (method, path) that the function's own router answers, in the catalog's spelling."""
    router = Router()
    import_module(function.module).add_routes(router, a_store(), settings(), FakeClock(at("12:00")))
    for route in router.routes():
        yield route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)


@pytest.mark.parametrize("name", BEHIND_ROUTES)
def test_a_function_answers_the_routes_that_the_catalog_sends_it_and_no_others(name: str) -> None:
    listed = sorted((route.method, route.path) for route in NAMED if route.function == name)
    assert sorted(answered_routes(function_named(name))) == listed


@pytest.mark.parametrize("route", NAMED, ids=lambda route: f"{route.method} {route.path}")
def test_a_listed_route_is_known_to_its_function(route: Route) -> None:
    compose = import_module(function_named(route.function).module).application
    handler = compose(a_store(), settings(MARKETDATA_LOCAL="1"), FakeClock(at("12:00")))
    answer = call(handler, event(route.method, route.path.replace("{job}", "roll_up").replace("{file}", "start.js")))
    assert "/problems/not-found" not in answer.text


def test_every_function_has_its_folder_and_every_folder_its_function() -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/handler.py")}
    assert folders == {function.name for function in FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_shows_an_event(function: Function) -> None:
    event_of_it = json.loads((ROOT / function.path / "event.json").read_text())
    routes = {f"{route.method} {route.path}" for route in NAMED if route.function == function.name}
    jobs = {schedule.job for schedule in SCHEDULES if schedule.function == function.name}
    called_by_alarms = function.name in NOTICES and event_of_it["Records"][0]["EventSource"] == "aws:sns"
    assert called_by_alarms or event_of_it.get("routeKey") in routes or event_of_it.get("job") in jobs
    assert import_module(function.module).__doc__


def test_whatever_is_named_exists_once() -> None:
    names = [function.name for function in FUNCTIONS]
    keys = [(route.method, route.path) for route in ROUTES]
    assert len(names) == len(set(names))
    assert len(keys) == len(set(keys))
    assert {route.function for route in ROUTES} | {schedule.function for schedule in SCHEDULES} | {*NOTICES} == set(
        names
    )


def test_a_schedule_runs_a_job_that_there_is_and_divides_the_day() -> None:
    assert {schedule.job for schedule in SCHEDULES} <= set(JOBS)
    assert all(24 * 60 % schedule.every_minutes == 0 for schedule in SCHEDULES)
    assert all(0 <= schedule.after_minutes < schedule.every_minutes for schedule in SCHEDULES)


def test_a_scheduled_function_ends_before_its_next_run_and_never_overlaps_itself() -> None:
    for schedule in SCHEDULES:
        function = function_named(schedule.function)
        assert function.timeout_seconds < schedule.every_minutes * 60
        assert function.concurrency_reserved == 1


def test_nothing_behind_a_route_outlasts_api_gateway() -> None:
    assert all(function_named(route.function).timeout_seconds < 30 for route in ROUTES)
