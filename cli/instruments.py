"""`marketdata instruments`: what is followed. A running feed takes a change up by itself, without a reconnect."""

from dataclasses import replace
from typing import Annotated

import typer
from marketdata import wiring
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.exchanges.listings import listing_source, read_listings
from marketdata.exchanges.places import SIMULATED_SUFFIX
from marketdata.exchanges.prices import split_price
from marketdata.exchanges.registry import require_market
from marketdata.exchanges.symbol_changes import name_at
from marketdata.exchanges.symbols import parse_pair
from marketdata.jobs.sync_instruments import Difference, compare_listings, sync_instruments
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.timeframe import TIMEFRAMES
from marketdata.serve.symbols import find_instrument
from marketdata.settings import settings_from
from rich.console import Console
from rich.table import Table

from cli.house_store import house_environment, house_store
from local.config import instrument

app = typer.Typer(help="What is followed: list, add, remove, sync.", no_args_is_help=True)

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
    symbol: Annotated[str, typer.Argument(help="BTC-USD, btc/usdt, EUR_USD, EUR_USD:bid, tBTCUSD, ...")],
    timeframes: Annotated[str, typer.Option(help="Which timeframes to keep, separated by commas.")] = ALL_TIMEFRAMES,
    calendar: Annotated[
        Calendar | None, typer.Option(help="When its market trades; what is usual there if not given.")
    ] = None,
) -> None:
    """Follow an instrument; a running feed subscribes within seconds, on its open connection."""
    require_market(exchange)
    venue = exchange.removesuffix(SIMULATED_SUFFIX)
    plain, price = split_price(venue, symbol)
    pair = name_at(venue, parse_pair(plain), SystemClock().now())
    made = instrument(venue, f"{pair}{price}", timeframes.split(","), simulated=venue != exchange, calendar=calendar)
    house_store().put_instruments([made])
    _say_added(made)


def _say_added(made: Instrument) -> None:
    followed = settings_from(house_environment()).feed_exchanges
    if followed and made.exchange not in followed:
        typer.echo(f"added {made.exchange} {made.symbol}, but only {', '.join(followed)} is followed (FEED_EXCHANGES)")
    else:
        typer.echo(f"following {made.exchange} {made.symbol}")


@app.command()
def remove(
    exchange: Annotated[str, typer.Argument(help="coinbase, or coinbase-simulated for the simulator.")],
    symbol: Annotated[str, typer.Argument(help="BTC-USD, btc/usdt, EUR_USD, tBTCUSD, BTCUSDT, ...")],
) -> None:
    """Stop following an instrument; its data stays."""
    store = house_store()
    known = find_instrument(store.instruments(), symbol, exchange)
    store.put_instruments([replace(known, active=False)])
    typer.echo(f"no longer following {known.exchange} {known.symbol}; its data stays")


@app.command()
def sync(
    exchange: Annotated[str, typer.Argument(help="Whose list is fetched: coinbase, binance, bitfinex.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be changed, and change nothing.")] = False,
) -> None:
    """Fetch what an exchange lists: stop following what has ended there, and name what could be followed."""
    source, known = listing_source(exchange), settings_from(house_environment())
    opened = wiring.pasts(known)(exchange)
    if opened is None:
        raise RequestInvalid("exchange", f"{exchange} is not among those that are followed here (FEED_EXCHANGES)")
    with opened as past:
        listings = read_listings(exchange, past.get(source.request))
    store = wiring.store_from(known)
    difference = compare_listings(store.instruments(), exchange, listings, SystemClock().now())
    if not dry_run:
        sync_instruments(store, difference)
    _tell(difference)


def _tell(difference: Difference) -> None:
    for instrument_, why in difference.ended:
        typer.echo(f"ended: {instrument_.exchange} {instrument_.symbol}: {why}; its data stays")
    for instrument_ in difference.corrected:
        typer.echo(f"corrected: {instrument_.exchange} {instrument_.symbol} is {instrument_.canonical}")
    for listing in difference.unfollowed:
        typer.echo(f"not followed: {listing.base}-{listing.quote} ({listing.symbol})")
    typer.echo(
        f"{difference.listed} listed, {len(difference.ended)} ended, {len(difference.corrected)} corrected, "
        f"{len(difference.unfollowed)} not followed",
        err=True,
    )


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
