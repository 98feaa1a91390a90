"""`marketdata record`: a live feed into a file."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.errors import RemoteUnavailable, RequestInvalid
from marketdata.exchange_access import live_connect, live_feed
from marketdata.exchanges.exchange import LiveTrades
from marketdata.exchanges.registry import adapter_for, live_trades
from marketdata.jobs.record import CaptureFile, record
from marketdata.net.stream import Connect, Stream, connect_websocket
from marketdata.settings import settings_from

from cli.house_store import house_environment
from cli.progress import Ticker

PROGRESS_SECONDS = 1.0


def record_feed(
    output: Annotated[Path, typer.Argument(help="The file to write; .gz compresses. Never written over.")],
    symbol: Annotated[list[str], typer.Option("--symbol", "-s", help="As the exchange spells it; repeat for more.")],
    exchange: Annotated[str, typer.Option(help="Which exchange.")] = "coinbase",
    feed: Annotated[str | None, typer.Option(help="Which of its feeds; the first if not given.")] = None,
    url: Annotated[str | None, typer.Option(help="Another address, e.g. a simulator's.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop by itself after so long.", min=0.1)] = None,
) -> None:
    """Write every frame of a live feed to a capture file, until Ctrl-C."""
    adapter, connect = _door(exchange, feed or adapter_for(exchange).default_feed, url)
    most = adapter.symbols_per_connection_max
    if most is not None and len(symbol) > most:
        raise RequestInvalid("symbol", f"a capture is of one connection, and {exchange} lets one carry {most} symbols")
    try:
        capture = CaptureFile(output)
    except FileExistsError:
        raise RequestInvalid("output", f"{output} is there already; captures are never written over") from None
    except OSError as error:
        raise RequestInvalid("output", f"{output} cannot be written: {error.strerror}") from error
    with capture:
        stream = Stream(adapter, clock=SystemClock(), connect=connect, on_frame=capture.write)
        stream.follow(symbol)
        asyncio.run(_record(stream, capture, seconds))
    if not capture.frames:
        raise RemoteUnavailable(
            exchange, f"nothing came from {adapter.url()}: {stream.status.detail or 'it was silent'}"
        )
    typer.echo(f"{capture.frames} frames, {capture.trades} trades -> {output}", err=True)


def _door(exchange: str, feed: str, url: str | None) -> tuple[LiveTrades, Connect]:
    """What speaks to the exchange, and through what; one that must know us gets its token from the settings."""
    if not adapter_for(exchange).needs_token:
        return live_trades(exchange, feed, url), connect_websocket
    known = settings_from(house_environment())
    adapter = live_feed(known, exchange)
    return adapter, live_connect(known, adapter)


async def _record(stream: Stream, capture: CaptureFile, seconds: float | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wish in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wish, stop.set)
    with Ticker("recording") as ticker:
        showing = asyncio.create_task(_show(stream, capture, ticker))
        try:
            await record(stream, capture, stop, seconds_max=seconds)
        finally:
            showing.cancel()


async def _show(stream: Stream, capture: CaptureFile, ticker: Ticker) -> None:
    while True:
        detail = f" ({stream.status.detail})" if stream.status.detail else ""
        ticker.show(f"{stream.status.state}{detail}: {capture.frames} frames, {capture.trades} trades")
        await asyncio.sleep(PROGRESS_SECONDS)
