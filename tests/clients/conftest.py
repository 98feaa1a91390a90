"""The whole door on a free port, over a real database: what the clients of the API meet."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiohttp import web
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from marketdata.wiring import close_shared_store

from feed.gateway import gateway
from feed.hub import Hub
from local.front import front
from tests.conftest import RunningSupabase

SERVED = Instrument("coinbase", "BTC-USD", "BTC", "USD")
HOLED = Instrument("coinbase", "ETH-USD", "ETH", "USD")
MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 8, 9, tzinfo=UTC)


@dataclass
class Served:
    """A door that is open: `url` for clients, `store` for what they find behind it, `hub` for what they hear."""

    url: str
    store: SupabaseStore
    hub: Hub
    loop: asyncio.AbstractEventLoop

    def end_streams(self) -> None:
        """Cut every connection of the stream, as a proxy does."""
        done = threading.Event()

        def cut() -> None:
            for audience in list(self.hub._audiences.values()):
                for subscription in list(audience.members):
                    subscription.close()
            done.set()

        self.loop.call_soon_threadsafe(cut)
        assert done.wait(10)

    def publish(self, kind: str, document: bytes, symbol: str = "BTC-USD") -> None:
        """Tell everybody on the stream."""
        done = threading.Event()

        def tell() -> None:
            self.hub.publish(kind, "coinbase", symbol, document)
            done.set()

        self.loop.call_soon_threadsafe(tell)
        assert done.wait(10)


def made(place: int, instrument: Instrument = SERVED) -> Candle:
    """The candle of the minute so many after midnight; its numbers have more digits than a float keeps."""
    price = Decimal(f"65000.{place:06d}1234567890123")
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=M1,
        open_time=MIDNIGHT + place * MINUTE,
        open=price,
        high=price + 1,
        low=price - 1,
        close=price + Decimal("0.5"),
        volume=Decimal(f"0.000000{place + 1}"),
        quote_volume=Decimal(place + 1) / 1000,
        trades=3,
        taker_buy_volume=Decimal(0),
        first_id=place * 3,
        last_id=place * 3 + 2,
        source=Source.PROVEN,
    )


@pytest.fixture(scope="module")
def served(supabase: RunningSupabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A day of one instrument without a hole, and two hours of another with one."""
    supabase.clear()
    patch = pytest.MonkeyPatch()
    patch.setenv("SUPABASE_URL", supabase.url)
    patch.setenv("SUPABASE_SERVICE_ROLE_KEY", supabase.service_key)
    patch.setenv("MARKETDATA_LOCAL", "1")
    patch.setenv("EXPORT_FOLDER", str(tmp_path_factory.mktemp("exports")))
    close_shared_store()
    store = SupabaseStore(supabase.url, supabase.service_key)
    store.put_instruments([SERVED, HOLED])
    store.put_candles([made(place) for place in range(1_440)])
    store.put_candles([made(place, HOLED) for place in range(120) if not 30 <= place < 35])
    hole = Span(MIDNIGHT + 30 * MINUTE, MIDNIGHT + 35 * MINUTE)
    store.record_gaps(HOLED, M1, [hole], cause="scan", found_at=MIDNIGHT + 3 * 60 * MINUTE)
    with _door(supabase, Hub("served")) as (url, hub, loop):
        yield Served(url, store, hub, loop)
    store.close()
    close_shared_store()
    patch.undo()


@contextmanager
def _door(supabase: RunningSupabase, hub: Hub) -> Iterator[tuple[str, Hub, asyncio.AbstractEventLoop]]:
    """The feed's own door and the one before everything, on a loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stream, stream_url = asyncio.run_coroutine_threadsafe(
        _listen(gateway(hub, lambda: {"state": "live"})), loop
    ).result(30)
    whole = front(supabase_url=supabase.url, supabase_keys=supabase.keys, feed_url=stream_url, invented={})
    door, url = asyncio.run_coroutine_threadsafe(_listen(whole), loop).result(30)
    try:
        yield url, hub, loop
    finally:
        loop.call_soon_threadsafe(hub.close)
        for runner in (door, stream):
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _listen(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"
