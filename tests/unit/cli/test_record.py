"""What is recorded live is what replay reads: one path."""

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from marketdata.clock import FakeClock
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_recording import CoinbaseRecording
from marketdata.jobs.record import CaptureFile, record
from marketdata.jobs.replay import read_capture, replay
from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.net.stream import Stream

from tests.unit.local.exchanges.market import NOW, TAPE, simulator


@pytest.mark.slow
@pytest.mark.parametrize("name", ["capture.ndjson", "capture.ndjson.gz"])
async def test_a_recorded_feed_replays_to_the_exchanges_own_candles(name: str, tmp_path: Path) -> None:
    clock, path, stop = FakeClock(NOW), tmp_path / name, asyncio.Event()
    async with simulator(clock) as exchange:
        with CaptureFile(path) as capture:
            stream = Stream(CoinbaseExchange(exchange.exchange_url), clock=clock, on_frame=capture.write)
            stream.follow(["BTC-USD", "ETH-USD"])
            running = asyncio.create_task(record(stream, capture, stop, seconds_max=None))
            async with asyncio.timeout(20):
                while clock.now() < NOW + timedelta(minutes=4):
                    clock.advance(timedelta(seconds=0.5))
                    await asyncio.sleep(0.005)
            stop.set()
            await running
            assert capture.trades > 100
    proven = [c for c in replay(read_capture(path), CoinbaseRecording(), M1).candles if c.source is Source.PROVEN]
    assert {candle.symbol for candle in proven} == {"BTC-USD", "ETH-USD"}
    for candle in proven:
        trades = TAPE.trades(candle.symbol, Span(candle.open_time, candle.close_time))
        assert (candle.trades, candle.open, candle.close) == (len(trades), trades[0].price, trades[-1].price)


def test_a_capture_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "capture.ndjson"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        CaptureFile(path)
    assert path.read_text() == "precious"


async def test_recording_ends_by_itself_after_its_time(tmp_path: Path) -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as exchange:
        with CaptureFile(tmp_path / "capture.ndjson") as capture:
            stream = Stream(CoinbaseExchange(exchange.exchange_url), clock=clock, on_frame=capture.write)
            stream.follow(["BTC-USD"])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(record(stream, capture, asyncio.Event(), seconds_max=0.2), 10)
            assert stream.status.state == "stopped"
