"""`marketdata alerts`: what fires, who was told, and what is silenced."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

import typer
from marketdata.clock import SystemClock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.jobs.alerts import sync_environment
from marketdata.jobs.deliver_alerts import deliver_alerts
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_alerts import AlertPage, find_alert_page
from marketdata.jobs.raise_alerts import known_targets, plain_message
from marketdata.model.alert_message import AlertMessage, MessageState, Silence
from marketdata.model.times import rfc3339
from marketdata.serve.alert_notice import trial_notice
from marketdata.serve.alert_params import alert_query
from marketdata.serve.cursor import Cursors
from marketdata.serve.parameters import SHORT_LIMIT_MAX
from marketdata.settings import settings_from
from marketdata.wiring import environment_target, store_from, webhooks
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import alert_rules, alert_targets
from cli.house_store import house_environment, house_store
from cli.moments import moment

app = typer.Typer(help="What fires, who was told, and what is silenced.", no_args_is_help=True)
app.add_typer(alert_targets.app, name="targets")
app.add_typer(alert_rules.app, name="rules")

SEND_SECONDS_MAX = 60
SILENCE_MAX = timedelta(days=366)

Json = Annotated[bool, typer.Option("--json", help="Print what GET /v1/alerts answers.")]
OfRule = Annotated[str | None, typer.Option(help="Only of this rule, such as feed.down.")]
OfExchange = Annotated[str | None, typer.Option(help="Only of this exchange.")]
OfSymbol = Annotated[str | None, typer.Option("--symbol", "-s", help="Only of this symbol.")]


@app.command("list")
def list_them(
    state: Annotated[str, typer.Option(help="firing, resolved or all.")] = "all",
    severity: Annotated[str, typer.Option(help="info, warning, error, critical, with commas; or all.")] = "all",
    rule: OfRule = None,
    exchange: OfExchange = None,
    symbol: OfSymbol = None,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=SHORT_LIMIT_MAX)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the page before ended.")] = None,
    deliveries: Annotated[bool, typer.Option("--deliveries", help="Show each try to tell of them.")] = False,
    json: Json = False,
) -> None:
    """List alerts, newest first."""
    settings, clock = settings_from(house_environment()), SystemClock()
    store = store_from(settings)
    given = {"rule": rule, "exchange": exchange, "symbol": symbol, "cursor": cursor}
    asked = {name: value for name, value in given.items() if value}
    query = alert_query({**asked, "state": state, "severity": severity, "limit": str(limit)})
    cursors = Cursors(settings.cursor_secret.reveal())
    page = find_alert_page(store, KnownInstruments(store, clock), cursors, clock, query)
    if json:
        typer.echo(page.body())
        return
    Console().print(alerts_table(page))
    if deliveries:
        Console().print(deliveries_table(page.messages))
    if page.next_cursor:
        typer.echo(f"there may be more: --cursor {page.next_cursor}", err=True)


@app.command("test")
def send_test(target: Annotated[str | None, typer.Option(help="To this target alone.")] = None) -> None:
    """Send a message to each target that is enabled, now, and say what came of it; exit 1 if one did not take it."""
    settings, clock = settings_from(house_environment()), SystemClock()
    store, environment, now = store_from(settings), environment_target(settings), clock.now()
    if environment is not None:
        # Who does not know of that target does not say that there is none.
        sync_environment(store, store.alert_desk(now=now), environment)
    targets = {one.name: one for one in known_targets(store.alert_desk(now=now).targets, environment)}
    chosen = [one.name for one in targets.values() if one.enabled and target in {None, one.name}]
    if not chosen:
        raise NotFound("target", "no target of that name is enabled; see `marketdata alerts targets list`")
    messages = [plain_message(name, trial_notice(now), now) for name in chosen]
    store.put_messages(messages)
    deadline = now + timedelta(seconds=SEND_SECONDS_MAX)
    worker = f"alerts-test-{uuid4().hex[:12]}"
    deliver_alerts(store, clock, deadline, worker=worker, targets=targets, send=webhooks(settings).post)
    ids = {one.id for one in messages}
    tried = [one for name in chosen for one in store.alert_messages(target=name, limit=100) if one.id in ids]
    Console().print(deliveries_table(tried))
    if any(one.state is not MessageState.DELIVERED for one in tried):
        raise typer.Exit(1)


@app.command("mute")
def mute(
    rule: OfRule = None,
    exchange: OfExchange = None,
    symbol: OfSymbol = None,
    lasting: Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 1d.")] = "1h",
    reason: Annotated[str, typer.Option(help="Why, for people; maintenance, as a rule.")] = "muted",
) -> None:
    """Tell nobody of alerts that match, for a while; with nothing named, of any. What was told is still ended."""
    now = SystemClock().now()
    length = now - moment(lasting, "--for", now)
    if not timedelta() < length <= SILENCE_MAX:
        raise RequestInvalid("--for", f"must be a length of time up to {SILENCE_MAX.days} days, as in 2h")
    silence = Silence(uuid4(), now, now + length, reason[:200], rule, exchange, symbol)
    house_store().put_silence(silence)
    typer.echo(str(silence.id))
    typer.echo(f"silent until {rfc3339(silence.ends_at)}; `marketdata alerts unmute {silence.id}` ends it", err=True)


@app.command("mutes")
def mutes() -> None:
    """List what is silenced now, or will be."""
    Console().print(silences_table(house_store().alert_desk(now=SystemClock().now()).silences))


@app.command("unmute")
def unmute(silence: Annotated[UUID, typer.Argument(help="As `alerts mutes` shows it.")]) -> None:
    """End a silence."""
    if not house_store().remove_silence(silence):
        raise NotFound("silence", f"there is no silence {silence}")


@app.command("replay")
def replay(
    message: Annotated[str | None, typer.Argument(help="A message's id (msg_...), delivered or not.")] = None,
    target: Annotated[str | None, typer.Option(help="Everything that was given up of this target.")] = None,
) -> None:
    """Send again what was given up; under the same id, so that a receiver that has it drops it."""
    if message is None and target is None:
        raise RequestInvalid("message", "name a message, or a --target")
    named = None if message is None else _message_id(message)
    count = house_store().replay_messages(now=SystemClock().now(), message_id=named, target=target)
    typer.echo(f"{count} messages wait again")


def _message_id(text: str) -> UUID:
    try:
        return UUID(text.removeprefix("msg_"))
    except ValueError as error:
        raise RequestInvalid("message", f"{text[:64]!r} is not the id of a message") from error


def alerts_table(page: AlertPage) -> Table:
    """Alerts for a person."""
    table = Table("fired", "severity", "state", "rule", "what", "told")
    for alert in page.alerts:
        state = "flapping" if alert.flapping and alert.resolved_at is None else alert.state.value
        lasted = f" {_lasted(alert.resolved_at - alert.began)}" if alert.resolved_at else ""
        told = alert.told.value if alert.told else "not yet"
        row = (rfc3339(alert.created_at), alert.severity.value, state + lasted, alert.rule, escape(alert.summary), told)
        table.add_row(*row)
    return table


def deliveries_table(messages: Iterable[AlertMessage]) -> Table:
    """Messages and their tries for a person."""
    table = Table("message", "target", "what", "state", "tries")
    for one in messages:
        tries = ", ".join(f"{tried.status or '-'} {tried.error}".strip() for tried in one.tries)
        title = escape(str(one.notice.get("title", "")))
        table.add_row(f"msg_{one.id.hex}", escape(one.target), title, one.state.value, escape(tries))
    return table


def silences_table(silences: Sequence[Silence]) -> Table:
    """Silences for a person."""
    table = Table("id", "until", "rule", "exchange", "symbol", "reason")
    for one in silences:
        named = (one.rule or "*", one.exchange or "*", one.symbol or "*")
        table.add_row(str(one.id), rfc3339(one.ends_at), *named, escape(one.reason))
    return table


def _lasted(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"after {minutes} min" if minutes < 120 else f"after {minutes // 60} h"
