"""A Bitfinex that runs here: a real server that speaks its protocols about the invented market of the tape.

/ws/2      WebSocket, see bitfinex_feed.py
/v2/...    REST, see bitfinex_rest.py
"""

from aiohttp import web
from marketdata.clock import Clock

from local.exchanges.bitfinex_feed import BitfinexSession
from local.exchanges.bitfinex_rest import BitfinexRest
from local.exchanges.faults import Faults
from local.exchanges.streams import Streams
from local.exchanges.tape import Market

POLL_SECONDS = 0.05
FRAMES_QUEUED_MAX = 50_000


def bitfinex_simulator(
    tape: Market,
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
    application.router.add_get("/ws/2", streams.handler(BitfinexSession))
    application.add_routes(BitfinexRest(tape, clock, faults).routes())
    application.cleanup_ctx.append(streams.pump)
    application.on_shutdown.append(streams.close)
    return application
