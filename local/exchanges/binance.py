"""A Binance that runs here: a real server that speaks its protocols about the invented market of the tape.

The exchange of the tests; the production adapter talks to it unmodified.

    /stream         WebSocket, combined streams
    /api/v3/...     REST, see binance_rest.py
    /data/spot/...  the archive of whole days, see binance_archive.py
"""

from datetime import datetime, timedelta

from aiohttp import web
from marketdata.clock import Clock

from local.exchanges.binance_archive import BinanceArchive
from local.exchanges.binance_feed import BinanceSession
from local.exchanges.binance_market import BinanceMarket
from local.exchanges.binance_rest import BinanceRestServer
from local.exchanges.faults import Faults
from local.exchanges.streams import Streams
from local.exchanges.tape import Market, Tape

POLL_SECONDS = 0.05
FRAMES_QUEUED_MAX = 50_000
PING_EVERY = timedelta(seconds=20)


def binance_simulator(
    tape: Tape,
    clock: Clock,
    faults: Faults | None = None,
    *,
    listed_at: datetime,
    main: bool = False,
    spoilt: frozenset[str] = frozenset(),
    poll_seconds: float = POLL_SECONDS,
    frames_max: int = FRAMES_QUEUED_MAX,
) -> web.Application:
    """The server as an aiohttp application; what is traded from `listed_at` on becomes visible as `clock` passes it.

    `main` is the host that has older single trades, too; `spoilt` names files of the archive that are damaged.
    """
    faults = faults or Faults()
    market = BinanceMarket(tape, listed_at)

    def new_session(_: Market, faults: Faults, connection: int, now: datetime) -> BinanceSession:
        return BinanceSession(market, faults, connection, now)

    streams = Streams(tape, clock, faults, poll_seconds=poll_seconds, frames_max=frames_max, ping_every=PING_EVERY)
    application = web.Application()
    application.router.add_get("/stream", streams.handler(new_session))
    application.add_routes(BinanceRestServer(market, clock, faults, main=main).routes())
    application.add_routes(BinanceArchive(market, clock, spoilt).routes())
    application.cleanup_ctx.append(streams.pump)
    application.on_shutdown.append(streams.close)
    return application
