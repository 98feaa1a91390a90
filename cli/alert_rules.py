"""`marketdata alerts rules`: users' own rules about markets."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.compute.market_rules import windows_of
from marketdata.errors import NotFound, RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.alert import Severity
from marketdata.model.alert_rule import Direction, MarketRule, MarketRuleKind
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.house_store import house_store

app = typer.Typer(help="Rules about markets.", no_args_is_help=True)

PRICE_ROOM = Decimal("0.002")
ROOM = Decimal("0.1")
"""How far behind its bound a rule is over, where nobody says."""

Bound = Annotated[str | None, typer.Option(help="A bound: a price, a percentage, or how many times the usual volume.")]


@app.command("list")
def list_them() -> None:
    """List the rules."""
    Console().print(rules_table(house_store().alert_desk(now=SystemClock().now()).rules))


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Of the rule.")],
    exchange: Annotated[str, typer.Argument(help="Of the market.")],
    symbol: Annotated[str, typer.Argument(help="In any spelling.")],
    kind: Annotated[MarketRuleKind, typer.Argument(help="What is watched.")],
    above: Bound = None,
    below: Bound = None,
    either: Bound = None,
    window: Annotated[str, typer.Option(help="Over how long: 15m, 1h, 24h; none for a price.")] = "",
    clear: Annotated[str | None, typer.Option(help="The bound behind which it is over.")] = None,
    hold: Annotated[int, typer.Option(help="For how many seconds it must hold.", min=0, max=86_400)] = 0,
    severity: Annotated[Severity, typer.Option(help="Of its alerts.")] = Severity.INFO,
) -> None:
    """Add a rule, or replace the one of that name."""
    store, clock = house_store(), SystemClock()
    market = KnownInstruments(store, clock).find(symbol, exchange)
    direction, bound = _bound({Direction.ABOVE: above, Direction.BELOW: below, Direction.EITHER: either})
    _check_window(kind, window)
    over = _number("--clear", clear) if clear else default_clear(kind, direction, bound)
    _check_clear(direction, bound, over)
    rule = MarketRule(
        name, kind, market.exchange, market.symbol, bound, over, direction, window, severity, hold, clock.now()
    )
    store.put_market_rule(rule)
    typer.echo(f"{name} fires {direction} {bound:f} and is over behind {over:f}", err=True)


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Of the rule.")]) -> None:
    """Remove a rule; what fires of it ends."""
    if not house_store().remove_market_rule(name):
        raise NotFound("rule", f"there is no rule {name[:60]!r}")


def default_clear(kind: MarketRuleKind, direction: Direction, bound: Decimal) -> Decimal:
    """A little behind the bound, so that a value on it does not come and go."""
    room = abs(bound) * (PRICE_ROOM if kind is MarketRuleKind.PRICE_CROSSES else ROOM)
    return bound + room if direction is Direction.BELOW else bound - room


def _bound(given: dict[Direction, str | None]) -> tuple[Direction, Decimal]:
    named = [(direction, text) for direction, text in given.items() if text is not None]
    if len(named) != 1:
        raise RequestInvalid("bound", "must be one of --above, --below and --either")
    direction, text = named[0]
    return direction, _number(f"--{direction}", text)


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise RequestInvalid(option, f"{text[:64]!r} is not a number") from error
    if not number.is_finite():
        raise RequestInvalid(option, f"{text[:64]!r} is not a number")
    return number


def _check_window(kind: MarketRuleKind, window: str) -> None:
    known = windows_of(kind)
    if (window not in known) if known else window:
        raise RequestInvalid("--window", f"of {kind} must be one of {', '.join(known) or 'none'}", known)


def _check_clear(direction: Direction, bound: Decimal, clear: Decimal) -> None:
    wrong = clear < bound if direction is Direction.BELOW else clear > bound
    if wrong or (direction is Direction.EITHER and clear < 0):
        raise RequestInvalid("--clear", "must be on the other side of the bound, where the rule does not hold")


def rules_table(rules: Iterable[MarketRule]) -> Table:
    """Rules for a person."""
    table = Table("name", "market", "watches", "fires", "is over", "hold", "severity")
    for one in rules:
        watches = f"{one.kind} {one.window}".strip()
        market = f"{one.exchange} {one.symbol}"
        fires, over = f"{one.direction} {one.bound:f}", f"{one.clear:f}"
        table.add_row(escape(one.name), market, watches, fires, over, f"{one.hold_seconds} s", one.severity.value)
    return table
