"""How exchanges are reached, as the settings say: their past over REST, their streams, and the patience all share.

Used by wiring for the jobs, and by the feed and the command line. A simulated exchange is never looked for at the real
one's address: its name must not be given to real data.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid, SettingsInvalid
from marketdata.exchanges import coingecko, oanda
from marketdata.exchanges.exchange import LiveTrades, Request
from marketdata.exchanges.places import SIMULATED_SUFFIX
from marketdata.exchanges.registry import ADAPTERS, adapter_for, live_trades
from marketdata.jobs.exchange_past import ArchivePast, ExchangePast
from marketdata.jobs.fetch_snapshots import OpenSource
from marketdata.settings import Settings
from marketdata.store.store import Store

if TYPE_CHECKING:
    from marketdata.net.connection import Connect
    from marketdata.net.rest import Budget

FILE_SECONDS_MAX = 60.0
TURN_SECONDS_MAX = 5.0
"""A gap whose turn is further off goes back on the ledger, so that a run ends in time."""

OpenPast = Callable[[str], AbstractContextManager[ExchangePast] | None]


def pasts(settings: Settings, find_store: Callable[[], Store]) -> OpenPast:
    """How to ask an exchange for its past, by its name; None for one that is not followed or cannot be asked.

    Turns are taken from the budgets in the store.
    """

    def open_past(exchange: str) -> AbstractContextManager[ExchangePast] | None:
        return _past(settings, find_store(), exchange) if _can_be_asked(settings, exchange) else None

    return open_past


def _can_be_asked(settings: Settings, exchange: str) -> bool:
    if exchange.removesuffix(SIMULATED_SUFFIX) not in ADAPTERS:
        return False
    if settings.feed_exchanges and exchange not in settings.feed_exchanges:
        return False
    adapter = adapter_for(exchange)
    if exchange.endswith(SIMULATED_SUFFIX) and settings.exchange(exchange).rest_url == adapter.rest_url:
        return False
    if adapter.needs_token and not _secrets(settings, exchange):
        return False
    return bool(adapter.candle_history or adapter.trade_history)


@contextmanager
def _past(settings: Settings, store: Store, exchange: str) -> Iterator[ExchangePast]:
    adapter, secrets = adapter_for(exchange), _secrets(settings, exchange)
    rest_url = settings.exchange(exchange).rest_url
    trade_history = adapter.trades_at(rest_url) if adapter.ids_contiguous else None
    with ExitStack() as clients:
        get = _open_rest(clients, store, exchange, rest_url)
        yield ExchangePast(
            lambda request: get(replace(request, headers=(*request.headers, *secrets.items()))),
            adapter.candle_history(exchange) if adapter.candle_history else None,
            trade_history(exchange) if trade_history else None,
            adapter.trades_by_time(exchange) if adapter.trades_by_time else None,
            _archive(clients, settings, store, exchange),
        )


def snapshot_source(
    settings: Settings, find_store: Callable[[], Store]
) -> Callable[[], AbstractContextManager[OpenSource] | None]:
    """How to ask CoinGecko, with turns from the budgets in the store; None without coins.

    Raises: SettingsInvalid for the Pro plan without a key, when asked.
    """

    def open_source() -> AbstractContextManager[OpenSource] | None:
        if not settings.coingecko_coins:
            return None
        if settings.coingecko_plan == coingecko.PRO and settings.coingecko_api_key is None:
            raise SettingsInvalid({"COINGECKO_API_KEY": "is required by the Pro plan"})
        return _snapshot_source(settings, find_store())

    return open_source


@contextmanager
def _snapshot_source(settings: Settings, store: Store) -> Iterator[OpenSource]:
    key = settings.coingecko_api_key.reveal() if settings.coingecko_api_key else ""
    headers = tuple(coingecko.key_headers(settings.coingecko_plan, key).items())
    url, pace = settings.exchange(coingecko.NAME).rest_url, settings.coingecko_requests_a_minute / 60
    with ExitStack() as clients:
        get = _open_rest(clients, store, coingecko.NAME, url, per_second=pace)
        yield OpenSource(
            lambda request: get(replace(request, headers=(*request.headers, *headers))),
            coingecko.CoinGecko(),
            settings.coingecko_coins,
            tuple(quote.upper() for quote in settings.coingecko_quotes),
        )


def _open_rest(
    clients: ExitStack, store: Store, exchange: str, url: str, *, per_second: float | None = None
) -> Callable[[Request], bytes]:
    from marketdata.net.rest import Rest  # noqa: PLC0415 - httpx is half of a cold start

    adapter = adapter_for(exchange)
    rest = Rest(
        exchange,
        url,
        shared_budget(store, exchange, per_second=per_second),
        SystemClock(),
        sleep=time.sleep,
        wait_seconds_max=TURN_SECONDS_MAX,
        read_refusal=adapter.read_refusal,
        weights=adapter.weights,
    )
    clients.callback(rest.close)
    return rest.get


def _archive(clients: ExitStack, settings: Settings, store: Store, exchange: str) -> ArchivePast | None:
    from marketdata.net.rest import FILE_BYTES_MAX, Rest  # noqa: PLC0415

    adapter, url = adapter_for(exchange), settings.exchange(exchange).archive_url
    if adapter.archive is None or url is None:
        return None
    if exchange.endswith(SIMULATED_SUFFIX) and url == adapter.archive_url:
        return None
    files = Rest(
        exchange,
        url,
        shared_budget(store, exchange),
        SystemClock(),
        sleep=time.sleep,
        wait_seconds_max=TURN_SECONDS_MAX,
        timeout_seconds=FILE_SECONDS_MAX,
        answer_bytes_max=FILE_BYTES_MAX,
    )
    clients.callback(files.close)
    return ArchivePast(files.get, adapter.archive(exchange))


def shared_budget(
    store: Store, exchange: str, patience_seconds: float = TURN_SECONDS_MAX, *, per_second: float | None = None
) -> "Budget":
    """One exchange's patience, shared through the store by all that ask it; `patience_seconds` is the caller's own.

    `per_second`: another pace than the registry's.
    """
    from marketdata.jobs.shared_budget import SharedBudget  # noqa: PLC0415 - brings httpx along

    adapter = adapter_for(exchange)
    return SharedBudget(
        exchange,
        store,
        per_second=per_second or adapter.requests_per_second,
        burst=adapter.requests_burst,
        patience_seconds=patience_seconds,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def live_feed(settings: Settings, exchange: str) -> LiveTrades:
    """The live stream of an exchange, as `settings` say. Raises: RequestInvalid if there is none.

    As with `pasts`, a simulated exchange is never looked for at the real one's address.
    """
    known = settings.exchange(exchange)
    if known.name == oanda.NAME:
        if exchange.endswith(SIMULATED_SUFFIX) and settings.oanda_stream_url == oanda.STREAM_URL:
            raise RequestInvalid("exchange", f"{exchange} needs the address of a simulator")
        if settings.oanda_token is None or not settings.oanda_account:
            raise RequestInvalid("exchange", f"{exchange} needs OANDA_TOKEN and OANDA_ACCOUNT")
        return oanda.OandaPricing(settings.oanda_stream_url, exchange, settings.oanda_account)
    if exchange.endswith(SIMULATED_SUFFIX) and known.websocket_url is None:
        raise RequestInvalid("exchange", f"{exchange} needs the address of a simulator")
    return live_trades(exchange, known.feed, known.websocket_url)


def live_connect(settings: Settings, feed: LiveTrades) -> "Connect":
    """The door that a live stream speaks through: a WebSocket, or lines over HTTP, with the token that they need."""
    from marketdata.net.connection import connect_websocket  # noqa: PLC0415 - only the feed needs it
    from marketdata.net.http_lines import connect_lines  # noqa: PLC0415

    if isinstance(feed, oanda.OandaPricing):
        return connect_lines(feed.stream_request, _secrets(settings, oanda.NAME))
    return connect_websocket


def _secrets(settings: Settings, exchange: str) -> dict[str, str]:
    """The headers by which an exchange knows us."""
    if exchange.removesuffix(SIMULATED_SUFFIX) != oanda.NAME or settings.oanda_token is None:
        return {}
    return {"Authorization": f"Bearer {settings.oanda_token.reveal()}"}


def ids_contiguous(exchange: str) -> bool:
    """Whether trade ids of that exchange count up by one; a simulated one keeps the promises of the real one."""
    adapter = ADAPTERS.get(exchange.removesuffix(SIMULATED_SUFFIX))
    return adapter is not None and adapter.ids_contiguous
