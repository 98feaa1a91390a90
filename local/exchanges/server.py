"""A simulated exchange, listening."""

from types import TracebackType
from typing import Self

from aiohttp import web


class Server:
    """The application, listening: `async with Server(application) as server: ... server.url`."""

    def __init__(self, application: web.Application, host: str = "127.0.0.1", port: int = 0) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._host = host
        self._port = port

    @property
    def url(self) -> str:
        """REST's base URL, once started."""
        return f"http://{self._host}:{self._port}"

    def websocket_url(self, path: str) -> str:
        """The URL of a stream at `path`, once started."""
        return f"ws://{self._host}:{self._port}{path}"

    async def start(self) -> None:
        """Listen; port 0 takes any free one. OSError if the port is in use."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
