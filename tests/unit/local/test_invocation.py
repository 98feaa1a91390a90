"""Invoking a function without Lambda."""

from functions.roll_up import handler as roll_up
from infra.catalog import function_named
from local.invocation import Context, context_of, load_handler


def test_the_handler_is_the_one_that_lambda_calls() -> None:
    assert load_handler(function_named("roll_up")) is roll_up.handler


def test_time_runs_out() -> None:
    assert 54_000 < context_of(function_named("roll_up")).get_remaining_time_in_millis() <= 55_000
    assert Context("late", timeout_seconds=-1, memory_limit_in_mb=128).get_remaining_time_in_millis() == 0


def test_each_invocation_has_its_own_id() -> None:
    function = function_named("api")
    assert context_of(function).aws_request_id != context_of(function).aws_request_id
