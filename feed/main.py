"""The feed: follows the exchanges, builds candles, and lets clients follow along. The Fargate task, and `make up`'s.

    python -m feed.main

SIGTERM and SIGINT stop it: it reads no more, flushes, and exits 0; 1 when something could not be saved, 5 when the
settings are wrong. With FEED_HANDOVER_SECONDS it goes on after SIGTERM until another feed is seen to do its work.
"""

import asyncio
import os
import secrets
import socket
import sys
import time
from contextlib import ExitStack

from aiohttp import web
from marketdata import observe
from marketdata.clock import SystemClock
from marketdata.errors import SettingsInvalid, StoreError, Unconfigured
from marketdata.exchange_access import live_connect, live_feed, shared_budget
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.registry import adapter_for
from marketdata.jobs.announce import Publish
from marketdata.jobs.follow_live import FollowLive, Rhythm
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.mend import Mender
from marketdata.net.rest import Rest
from marketdata.net.stream import Stream
from marketdata.net.streams import LiveStream, live_stream
from marketdata.settings import Settings
from marketdata.wiring import idle_address, redis_url, settings, store_from

from feed.gateway import gateway
from feed.hub import Hub
from feed.idle import idle
from feed.line import Line, OwnLine
from feed.metrics import write_metrics
from feed.shared_line import SharedLine
from feed.signals import on_signal

MEND_TURN_SECONDS_MAX = 30.0
"""A request to mend with waits so long for its turn; then mending looks again."""

STATES_BY_NEED = ("live", "stale", "connecting", "down", "stopped")
"""The feed is as well as the best of its exchanges: restarting it for one that is down would hurt the others."""


def main() -> int:
    """Run until stopped; returns the exit code."""
    try:
        known = settings()
    except Unconfigured as error:
        address = idle_address()
        if address is None:
            sys.stderr.write(f"{error}\n")
            return 5
        observe.configure(level="INFO")
        return asyncio.run(_idle(*address, str(error)))
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 5
    observe.configure(level=known.log_level, for_people=known.local)
    return asyncio.run(run(known))


async def _idle(host: str, port: int, reason: str) -> int:
    stopping = asyncio.Event()
    on_signal(stopping.set)
    return await idle(host, port, reason, stopping=stopping)


async def run(known: Settings) -> int:
    """Follow, serve and wait for the signal."""
    hub = Hub(epoch=secrets.token_hex(4))
    shared = redis_url(known)
    line = OwnLine(hub) if shared is None else SharedLine(shared, hub)
    clients = ExitStack()
    follow = follow_live(known, line.publish, clients)
    leaving = Leaving(follow, known.feed_handover_seconds)
    on_signal(follow.stop, terminate=leaving.begin)
    runner = web.AppRunner(gateway(hub, lambda: health(follow, line), line), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    metering = asyncio.create_task(write_metrics(follow.statuses, line.report))
    try:
        site = web.TCPSite(runner, known.feed_host, known.feed_port)
        await site.start()
        await follow.run()
    except OSError as error:
        observe.logger.error("the feed's port cannot be had", extra={"port": known.feed_port, "reason": str(error)})
        return 1
    except StoreError as error:
        observe.logger.error("stopped with unsaved candles", extra={"reason": str(error)})
        return 1
    finally:
        metering.cancel()
        leaving.end()
        await runner.cleanup()
        await line.close()
        clients.close()
    observe.logger.info("stopped, everything saved")
    return 0


class Leaving:
    """What SIGTERM begins: going on until a successor does the work, `seconds_max` at the most. A second one stops."""

    def __init__(self, follow: FollowLive, seconds_max: float) -> None:
        self._follow = follow
        self._seconds_max = seconds_max
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """At once, where nobody is waited for."""
        if self._task is not None or not self._seconds_max:
            self._follow.stop()
            return
        observe.logger.info("asked to stop, and waiting for a successor", extra={"seconds_max": self._seconds_max})
        self._task = asyncio.create_task(self._follow.leave(self._seconds_max))
        self._task.add_done_callback(self._done)

    def end(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: "asyncio.Task[None]") -> None:
        """A bug in it must not leave a feed that never stops."""
        if not task.cancelled() and task.exception() is not None:
            observe.logger.error("waiting for a successor failed", exc_info=task.exception())
            self._follow.stop()


def follow_live(known: Settings, publish: Publish, clients: ExitStack) -> FollowLive:
    """The job, wired to the real store and the exchanges of the settings; `clients` is closed when it is done."""
    clock, store = SystemClock(), store_from(known)

    def open_stream(exchange: str) -> LiveStream:
        live = live_feed(known, exchange)
        return live_stream(live, lambda: Stream(live, clock=clock, connect=live_connect(known, live)))

    def open_mender(followed: FollowedExchange) -> Mender | None:
        adapter, address = adapter_for(followed.name), known.exchange(followed.name)
        trade_history = adapter.trades_at(address.rest_url, address.feed)
        if trade_history is None or not adapter.ids_contiguous:
            return None
        rest = Rest(
            followed.name,
            address.rest_url,
            shared_budget(store, followed.name, MEND_TURN_SECONDS_MAX),
            clock,
            sleep=time.sleep,
            wait_seconds_max=MEND_TURN_SECONDS_MAX,
            weights=adapter.weights,
            read_refusal=adapter.read_refusal,
        )
        clients.callback(rest.close)

        async def fetch(request: Request) -> bytes:
            return await asyncio.to_thread(rest.get, request)

        return Mender(followed, trade_history(followed.name), fetch)

    return FollowLive(
        store=store,
        open_stream=open_stream,
        open_mender=open_mender,
        publish=publish,
        clock=clock,
        feed_id=known.feed_shard.feed_id(f"{socket.gethostname()}-{os.getpid()}"),
        exchanges=frozenset(known.feed_exchanges) or None,
        shard=known.feed_shard,
        keep_trades=known.keep_ticks,
        tell_alerts=known.public_reads,
        rhythm=Rhythm(flush_seconds=known.flush_seconds, instruments_seconds=known.instruments_refresh_seconds),
    )


def health(follow: FollowLive, line: Line) -> dict[str, object]:
    """What /health says: the best state of all exchanges, each one's own, the newest quarantined frames, how many
    minutes agree with the exchange's own, and how what it publishes gets away. The last decides nothing: candles go to
    the store either way."""
    statuses = follow.statuses()
    states = [status.state for status in statuses]
    state = min(states, key=STATES_BY_NEED.index) if states else "connecting"
    if state == "live" and not follow.merging:
        state = "connecting"  # in a deployment the old feed goes when this one is live: not before it writes
    if follow.idle:
        state = "unconfigured"
    quarantined = {
        name: [{"reason": kept.reason, "excerpt": kept.excerpt} for kept in followed.quarantine]
        for name, followed in follow.followed.items()
    }
    audits = {name: followed.audit.counts for name, followed in follow.followed.items()}
    return {"state": state, "exchanges": statuses, "quarantine": quarantined, "audits": audits, "line": line.report()}


if __name__ == "__main__":
    sys.exit(main())
