"""A gateway by itself: serves what all feeds publish into one Valkey or Redis, to as many clients as it has room for.

    python -m feed.live_gateway          REDIS_URL, FEED_HOST and FEED_PORT; it needs neither store nor keys

There may be many behind a load balancer: a client that comes to another one goes on where it was. SIGTERM and SIGINT
end all streams, each after a whole event, and it exits 0; 1 without its port, 5 when the settings are wrong.
"""

import asyncio
import sys
from collections.abc import Mapping

from aiohttp import web
from marketdata import observe
from marketdata.errors import SettingsInvalid
from marketdata.wiring import GatewaySettings, gateway_settings

from feed.gateway import gateway
from feed.hub import Hub
from feed.shared_line import SharedLine
from feed.signals import on_signal

END_SECONDS_MAX = 5.0
"""So long clients may take to accept the last of their streams."""


def main() -> int:
    """Run until stopped; returns the exit code."""
    try:
        known = gateway_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 5
    observe.configure(level=known.log_level, for_people=known.local)
    return asyncio.run(run(known))


async def run(known: GatewaySettings) -> int:
    """Serve until the signal."""
    stopping = asyncio.Event()
    on_signal(stopping.set)
    hub = Hub("")
    line = SharedLine(known.redis_url, hub, listening=True)
    runner = web.AppRunner(
        gateway(hub, lambda: health(hub, line), line), access_log=None, shutdown_timeout=END_SECONDS_MAX
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, known.host, known.port).start()
        await stopping.wait()
    except OSError as error:
        observe.logger.error("the gateway's port cannot be had", extra={"port": known.port, "reason": str(error)})
        return 1
    finally:
        await runner.cleanup()
        await line.close()
    observe.logger.info("stopped, every stream ended")
    return 0


def health(hub: Hub, line: SharedLine) -> Mapping[str, object]:
    """What /health says: live while it hears the server and has read what was there."""
    return {**line.report(), "clients": hub.clients, "epoch": hub.epoch, "head": hub.head}


if __name__ == "__main__":
    sys.exit(main())
