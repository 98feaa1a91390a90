"""The built-in exchange: a real server that speaks Coinbase's wire protocols about an invented market.

The shipped default of `make up` and the exchange of the tests; the production adapter talks to it unmodified.

    /  /exchange    WebSocket, the Exchange feed
    /advanced       WebSocket, Advanced Trade
    /products ...   REST, see coinbase_rest.py
"""

from aiohttp import web
from marketdata.clock import Clock

from local.exchanges.coinbase_advanced import AdvancedSession
from local.exchanges.coinbase_feed import FeedSession
from local.exchanges.coinbase_rest import Rest
from local.exchanges.faults import Faults
from local.exchanges.server import Server
from local.exchanges.streams import Streams
from local.exchanges.tape import Tape

POLL_SECONDS = 0.05
"""How often the tape is looked at, and so about how late a trade is."""
FRAMES_QUEUED_MAX = 50_000
"""How many frames a slow client may owe, about 20 MB, before it is cut off."""


def coinbase_simulator(
    tape: Tape,
    clock: Clock,
    faults: Faults | None = None,
    *,
    poll_seconds: float = POLL_SECONDS,
    frames_max: int = FRAMES_QUEUED_MAX,
) -> web.Application:
    """The server as an aiohttp application; what `tape` holds becomes visible as `clock` passes it."""
    faults = faults or Faults()
    streams = Streams(tape, clock, faults, poll_seconds=poll_seconds, frames_max=frames_max)
    application = web.Application()
    for path in ("/", "/exchange"):
        application.router.add_get(path, streams.handler(FeedSession))
    application.router.add_get("/advanced", streams.handler(AdvancedSession))
    application.add_routes(Rest(tape, clock, faults).routes())
    application.cleanup_ctx.append(streams.pump)
    application.on_shutdown.append(streams.close)
    return application


class Simulator(Server):
    """The application, listening: `async with Simulator(application) as simulator: ... simulator.url`."""

    @property
    def exchange_url(self) -> str:
        """The Exchange feed's URL, once started."""
        return self.websocket_url("/exchange")

    @property
    def advanced_url(self) -> str:
        """The Advanced Trade feed's URL, once started."""
        return self.websocket_url("/advanced")
