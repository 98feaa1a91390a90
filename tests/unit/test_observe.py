"""Logs and metrics, as they leave a process: each test runs one of its own, because logging belongs to the process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WATCHED = """
import logging
from marketdata import observe

class Context:
    aws_request_id = "request-1"

@observe.watched("api")
def handler(event, context):
    observe.count("TradesIngested", 3)
    observe.count("TradesIngested", 4)
    logging.getLogger("marketdata.jobs.somewhere").info("gap filled", extra={"candles": 60})
    if event.get("fault"):
        raise ValueError("a fault")
    return {"ok": True}
"""


def run(program: str) -> tuple[list[str], list[str]]:
    """The lines of standard output and standard error."""
    done = subprocess.run([sys.executable, "-c", WATCHED + program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr.splitlines()


def told(lines: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Log lines, and lines of metrics."""
    documents = [json.loads(line) for line in lines]
    return [one for one in documents if "_aws" not in one], [one for one in documents if "_aws" in one]


def test_a_line_of_any_room_is_json_with_its_facts_the_function_and_the_request() -> None:
    output, _ = run("handler({}, Context())")
    (line,), _ = told(output)
    facts = {name: line[name] for name in ("level", "message", "candles", "function", "request_id")}
    assert facts == {
        "level": "INFO",
        "message": "gap filled",
        "candles": 60,
        "function": "api",
        "request_id": "request-1",
    }


def test_what_was_counted_is_written_once_when_the_invocation_ends() -> None:
    output, _ = run("handler({}, Context())")
    _, (metrics,) = told(output)
    assert metrics["TradesIngested"] == [3.0, 4.0]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "MarketDataEngine"


def test_nothing_counted_is_nothing_written() -> None:
    assert run("observe.write_metrics()") == ([], [])


def test_a_fault_is_logged_with_its_traceback_and_rises() -> None:
    output, _ = run(
        """
try:
    handler({"fault": True}, Context())
except ValueError:
    logging.getLogger("marketdata").info("it rose")
"""
    )
    lines, metrics = told(output)
    assert [line["message"] for line in lines] == ["gap filled", "function failed", "it rose"]
    assert lines[1]["exception_name"] == "ValueError"
    assert "function" not in lines[2], "the request is over"
    assert len(metrics) == 1


def test_for_people_a_line_is_readable_and_on_standard_error_and_metrics_are_not_written() -> None:
    output, errors = run('observe.configure(level="INFO", for_people=True)\nhandler({}, Context())')
    assert output == []
    assert [line.split(" ", 1)[1] for line in errors] == ["INFO gap filled candles=60"]


def test_while_everything_is_stopped_an_error_is_one_line_for_people() -> None:
    _, errors = run(
        """
observe.configure(level="WARNING", for_people=True)
observe.leave_tracebacks_out()
try:
    handler({"fault": True}, Context())
except ValueError:
    pass
"""
    )
    assert [line.split(" ", 1)[1] for line in errors] == ["ERROR function failed error=ValueError: a fault"]


def test_with_a_file_all_lines_go_there_and_only_warnings_to_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "functions.log"
    program = f"""
from pathlib import Path
observe.configure(level="INFO", for_people=True, file=Path({str(log)!r}))
handler({{}}, Context())
logging.getLogger("marketdata").warning("it is late")
"""
    output, errors = run(program)
    assert output == []
    assert [line.split(" ", 1)[1] for line in errors] == ["WARNING it is late"]
    kept = log.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in kept] == ["INFO gap filled candles=60", "WARNING it is late"]


@pytest.mark.parametrize("for_people", [True, False])
def test_lines_below_the_level_are_not_written(for_people: bool) -> None:
    output, errors = run(f'observe.configure(level="WARNING", for_people={for_people})\nhandler({{}}, Context())')
    assert not any("gap filled" in line for line in output + errors)
