"""`marketdata feed-ticks`: an invented market, posted tick by tick to the ingest webhook. For demos and for load."""

import random
import re
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer
from marketdata.clock import Clock, SystemClock
from marketdata.errors import RequestInvalid
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from rich.console import Console

from cli.house_store import house_environment
from cli.moments import moment
from cli.progress import Ticker
from local.tick_poster import Posted, TickPoster
from local.tick_stream import ITEMS_MAX, TickStream

URL = "http://localhost:8100"
SYMBOLS = "BTCUSDT,ETHUSDT"
POLL_SECONDS = 0.2
ENDLESS = timedelta(days=3_650)
_DURATION = re.compile(r"(\d{1,6})([smhd]?)", re.ASCII)
_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def feed_ticks(
    symbols: Annotated[str, typer.Option(help="Which markets, separated by commas.")] = SYMBOLS,
    rate: Annotated[float, typer.Option(help="Ticks a second, of all together, on average.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Which invented market: one seed is always the same one.")] = 1,
    start: Annotated[
        str | None, typer.Option("--start", "--since", help="Tell from then on: a time, or 1h. Now if not given.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many ticks.", min=1)] = None,
    duration: Annotated[str | None, typer.Option(help="End after so much of the market: 60s, 5m, 1h.")] = None,
    batch: Annotated[int, typer.Option(help="Ticks a request at most.", min=1, max=ITEMS_MAX)] = 500,
    url: Annotated[str | None, typer.Option(help="The API, or its webhook; the house's if not given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Post ticks as their time comes, until Ctrl-C; of a start that is past, as fast as they are taken.

    The key is INGEST_API_KEYS or API_KEY of the environment. Run again with the same seed, rate and symbols, the same
    ticks are counted as duplicates.
    """
    clock = SystemClock()
    stream = TickStream(seed, rate, [symbol.strip() for symbol in symbols.split(",") if symbol.strip()])
    begins = moment(start, "--start", clock.now()) if start else clock.now()
    span = Span(begins, begins + (parse_duration(duration) if duration else ENDLESS))
    environment = house_environment()
    poster = TickPoster(
        webhook_url(url or environment.get("MARKETDATA_URL") or URL),
        _key(environment),
        sleep=time.sleep,
        random_source=random.Random(),
    )
    feeder = _Feeder(stream, poster, clock, span, batch, count)
    try:
        feeder.run()
    finally:
        poster.close()
        _tell(poster.posted, feeder.told_until, as_json=json)
    if poster.posted.rejected:
        raise typer.Exit(1)


class _Feeder:
    """One run; `told_until` is where another goes on."""

    def __init__(
        self, stream: TickStream, poster: TickPoster, clock: Clock, span: Span, batch: int, count: int | None
    ) -> None:
        self.told_until = span.start
        self._stream = stream
        self._poster = poster
        self._clock = clock
        self._span = span
        self._batch = batch
        self._left = count

    def run(self) -> None:
        """Until the span is told, or the count. Raises: as TickPoster."""
        self._poster.symbols(self._stream.symbols())
        with Ticker("feeding") as ticker:
            while self.told_until < self._span.end and self._left != 0:
                until = min(self._clock.now(), self._span.end)
                if until > self.told_until:
                    self._tell(Span(self.told_until, until), ticker)
                else:
                    time.sleep(POLL_SECONDS)

    def _tell(self, span: Span, ticker: Ticker) -> None:
        for items, until in self._stream.batches(span, self._batch):
            told = items[: self._left]
            if told:
                self._poster.ticks(told)
            self.told_until = until if len(told) == len(items) else datetime.fromisoformat(items[len(told)]["time"])
            if self._left is not None:
                self._left -= len(told)
            ticker.show(self._progress())
            if self._left == 0:
                return
        self.told_until = span.end

    def _progress(self) -> str:
        posted, behind = self._poster.posted, self._clock.now() - self.told_until
        counts = f"{posted.accepted} accepted, {posted.duplicates} duplicates, {posted.rejected} rejected"
        return f"{posted.sent} sent ({counts}), {behind.total_seconds():.1f} s behind the market"


def webhook_url(url: str) -> str:
    """Where the webhooks are: below /v1 of an API, unless the address says. Raises: RequestInvalid."""
    if not re.match(r"https?://[^\s/]+", url):
        raise RequestInvalid("--url", f"{url!r} is not an address")
    plain = url.rstrip("/").removesuffix("/ticks").removesuffix("/webhooks")
    return f"{plain}/webhooks" if plain.endswith("/v1") else f"{plain}/v1/webhooks"


def parse_duration(text: str) -> timedelta:
    """`90`, `60s`, `5m`, `1h` or `2d`. Raises: RequestInvalid."""
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        raise RequestInvalid("--duration", f"{text!r} is not like 60s, 5m or 1h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _key(environment: dict[str, str]) -> str:
    """The first of our keys, or the seeds' name for it; none where none is asked for."""
    return environment.get("INGEST_API_KEYS", "").split(",")[0].strip() or environment.get("API_KEY", "").strip()


def _tell(posted: Posted, told_until: datetime, *, as_json: bool) -> None:
    if as_json:
        Console().print_json(data=asdict(posted) | {"told_until": rfc3339(told_until)})
        return
    counts = f"{posted.accepted} accepted, {posted.duplicates} duplicates, {posted.rejected} rejected"
    typer.echo(f"{posted.sent} ticks in {posted.batches} batches: {counts}; {posted.retries} retries")
    for reason in posted.reasons:
        typer.echo(f"rejected: {reason}", err=True)
    typer.echo(f"to go on: --start {rfc3339(told_until)}", err=True)
