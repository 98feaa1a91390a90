"""`marketdata jobs`: what ran, when, and what came of it."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer
from marketdata.clock import SystemClock
from marketdata.jobs.query_jobs import find_run_page
from marketdata.model.job_run import JobRun, RunState
from marketdata.model.times import rfc3339
from marketdata.serve.cursor import Cursors
from marketdata.serve.jobs_json import jobs_body
from marketdata.serve.parameters import SHORT_LIMIT_MAX
from marketdata.serve.params import RUN_STATES, RunQuery
from marketdata.settings import settings_from
from marketdata.wiring import store_from
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.house_store import house_environment

app = typer.Typer(help="The runs of jobs.", no_args_is_help=True)


@app.callback()
def runs_of_jobs() -> None:
    """The runs of jobs: what ran, when, and what came of it."""


@app.command("list")
def list_them(
    kind: Annotated[str | None, typer.Option(help="Only of this job, such as gap_scan.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="running succeeded failed lost, or all; repeat, or use commas.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=SHORT_LIMIT_MAX)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the page before ended.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """List runs of jobs, newest first."""
    settings = settings_from(house_environment())
    states = RUN_STATES.read(",".join(state)) if state else tuple(RunState)
    cursors = Cursors(settings.cursor_secret.reveal())
    page = find_run_page(store_from(settings), cursors, SystemClock(), RunQuery(kind, states, limit, cursor))
    if json:
        typer.echo(jobs_body(page.runs, page.next_cursor, page.as_of))
        return
    Console().print(runs_table(page.runs))
    if page.next_cursor:
        typer.echo(f"there may be more: --cursor {page.next_cursor}", err=True)


def runs_table(runs: Iterable[JobRun]) -> Table:
    """Runs for a person."""
    table = Table("id", "job", "trigger", "state", "started")
    table.add_column("seconds", justify="right")
    table.add_column("result")
    for run in runs:
        seconds = f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else ""
        what = escape(run.error or msgspec.json.encode(run.result).decode()[:200])
        table.add_row(str(run.id), run.kind, run.trigger, run.state.value, rfc3339(run.started_at), seconds, what)
    return table
