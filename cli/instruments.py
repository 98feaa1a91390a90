"""`marketdata instruments`: what is followed. A running feed takes a change up by itself, without a reconnect."""

from dataclasses import replace
from typing import Annotated

import typer
from marketdata.errors import NotFound
from marketdata.exchanges.registry import SIMULATED_SUFFIX, adapter_for
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.timeframe import TIMEFRAMES
from rich.console import Console
from rich.table import Table

from cli.house_store import house_store
from local.config import instrument

app = typer.Typer(help="What is followed: list, add, remove.", no_args_is_help=True)

ALL_TIMEFRAMES = ",".join(timeframe.name for timeframe in TIMEFRAMES)


@app.command("list")
def list_them() -> None:
    """Print every instrument the database knows."""
    table = Table("exchange", "symbol", "timeframes", "calendar", "followed", "simulated")
    for known in house_store().instruments():
        names = " ".join(timeframe.name for timeframe in known.timeframes)
        facts = (known.calendar.value, _yes(known.active), _yes(known.simulated))
        table.add_row(known.exchange, known.symbol, names, *facts)
    Console().print(table)


@app.command()
def add(
    exchange: Annotated[str, typer.Argument(help="coinbase, or coinbase-simulated for the simulator.")],
    symbol: Annotated[str, typer.Argument(help="As the exchange spells it, e.g. BTC-USD.")],
    timeframes: Annotated[str, typer.Option(help="Which timeframes to keep, separated by commas.")] = ALL_TIMEFRAMES,
    calendar: Annotated[Calendar, typer.Option(help="When its market trades.")] = Calendar.ALWAYS,
) -> None:
    """Follow an instrument; a running feed subscribes within seconds, on its open connection."""
    adapter_for(exchange)
    venue = exchange.removesuffix(SIMULATED_SUFFIX)
    made = instrument(venue, symbol, timeframes.split(","), simulated=venue != exchange, calendar=calendar)
    house_store().put_instruments([made])
    typer.echo(f"following {made.exchange} {made.symbol}")


@app.command()
def remove(
    exchange: Annotated[str, typer.Argument(help="coinbase, or coinbase-simulated for the simulator.")],
    symbol: Annotated[str, typer.Argument(help="As the exchange spells it, e.g. BTC-USD.")],
) -> None:
    """Stop following an instrument; its data stays."""
    store = house_store()
    known = _find(store.instruments(), exchange, symbol)
    store.put_instruments([replace(known, active=False)])
    typer.echo(f"no longer following {exchange} {symbol}; its data stays")


def _find(known: list[Instrument], exchange: str, symbol: str) -> Instrument:
    for one in known:
        if one.key == (exchange, symbol):
            return one
    raise NotFound("symbol", f"{exchange} {symbol} is not known; see `marketdata instruments list`")


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
