"""A feed that nobody has told yet where its store is: healthy, and waiting. Run by feed/main."""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web
from marketdata import observe

IDLE_SECONDS = 300.0
"""Then it ends, and whoever runs it starts it anew, with the secrets that there are by then."""


async def idle(host: str, port: int, reason: str, *, stopping: asyncio.Event, seconds: float = IDLE_SECONDS) -> int:
    """Answer /health with `unconfigured` until stopped or for so long; then 0. Raises: OSError without the port."""
    runner = web.AppRunner(_application(lambda: {"state": "unconfigured", "reason": reason}), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        observe.logger.warning("waiting for settings", extra={"reason": reason, "seconds": seconds})
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        observe.logger.info("ending, to be started with the settings that there are now")
    finally:
        await runner.cleanup()
    return 0


def _application(state: Callable[[], dict[str, str]]) -> web.Application:
    async def health(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(state()), content_type="application/json")

    app = web.Application()
    app.router.add_get("/health", health)
    return app
