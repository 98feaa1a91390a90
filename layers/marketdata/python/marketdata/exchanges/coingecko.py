"""CoinGecko: what whole assets are worth, over many exchanges. Pure: requests out, snapshots in.

Its prices are indices and its bars are labelled by their close, so that nothing of it may stand beside an exchange's
candles or fill a gap: it offers no candles and no trades here, and the registry refuses an adapter that does both.
Demo and Pro keys have hosts and headers of their own. Source: docs/add-an-exchange.md#coingecko.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import Refusal, Request
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.places import COINGECKO_REQUESTS_A_MINUTE, COINGECKO_REST_URLS
from marketdata.exchanges.snapshot_source import SnapshotPage
from marketdata.exchanges.wire import GREATEST, LEAST, excerpt
from marketdata.model.coin import Coin
from marketdata.model.snapshot import Snapshot
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, utc

NAME = "coingecko"
DEMO, PRO = "demo", "pro"
REST_URLS = COINGECKO_REST_URLS
KEY_HEADERS: Mapping[str, str] = MappingProxyType({DEMO: "x-cg-demo-api-key", PRO: "x-cg-pro-api-key"})
REQUESTS_A_MINUTE = COINGECKO_REQUESTS_A_MINUTE
COINS_A_REQUEST = 250
HOURLY_DAYS_MAX = 90
"""A longer span is answered by the day."""
CHANGE_PERCENT_MAX = Decimal("1e12")

_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
# 10002: no key; 10005: not on this plan; 10010 and 10011: a key of the other plan than the host's.
_KEY_ERRORS = frozenset({10002, 10005, 10010, 10011})


class _Market(msgspec.Struct):
    id: str
    current_price: Decimal | None = None
    market_cap: Decimal | None = None
    total_volume: Decimal | None = None
    price_change_percentage_24h: Decimal | None = None
    last_updated: str | None = None


class _Chart(msgspec.Struct):
    prices: list[tuple[Decimal, Decimal | None]]
    market_caps: list[tuple[Decimal, Decimal | None]] = []
    total_volumes: list[tuple[Decimal, Decimal | None]] = []


class _Status(msgspec.Struct):
    error_message: str
    error_code: int = 0


class _Error(msgspec.Struct):
    status: _Status | None = None
    error: str | _Status | None = None


class CoinGecko:
    """What coins are worth."""

    coins_a_request = COINS_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._markets = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._market = msgspec.json.Decoder(_Market).decode
        self._chart = msgspec.json.Decoder(_Chart).decode

    def market_request(self, coins: Sequence[Coin], quote: str) -> Request:
        """The request for what these coins, at most 250, are worth now."""
        assert len(coins) <= COINS_A_REQUEST, len(coins)
        fixed = (("vs_currency", quote.lower()), ("per_page", str(COINS_A_REQUEST)), ("precision", "full"))
        return Request("/coins/markets", (*fixed, ("ids", ",".join(coin.id for coin in coins))))

    def parse_markets(self, body: bytes, coins: Iterable[Coin], quote: str) -> SnapshotPage:
        """The snapshots in one answer, each under CoinGecko's own time; a coin that cannot be read costs itself.

        Without a price there is no snapshot: such coins, and those that are not in the answer, are named.
        Raises: RemoteMalformed if it is no list.
        """
        assets = {coin.id: coin.asset for coin in coins}
        found: dict[str, Snapshot] = {}
        bad: list[str] = []
        for raw in self._listed(body):
            try:
                market = self._market(raw)
                if market.id in assets and market.current_price is not None:
                    found[market.id] = self._of_market(market, assets[market.id], quote)
            except (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation) as error:
                bad.append(f"{error}: {excerpt(bytes(raw))}"[:300])
        absent = tuple(asset for id_, asset in assets.items() if id_ not in found)
        return SnapshotPage(tuple(found[id_] for id_ in assets if id_ in found), absent, tuple(bad))

    def chart_requests(self, coin: Coin, quote: str, span: Span) -> list[Request]:
        """The requests for the index prices of `span`, oldest first, by the hour or finer."""
        requests, start, step = [], span.start, timedelta(days=HOURLY_DAYS_MAX)
        while start < span.end:
            end = min(start + step, span.end)
            between = (("from", _seconds(start)), ("to", _seconds(end)))
            query = (("vs_currency", quote.lower()), *between, ("precision", "full"))
            requests.append(Request(f"/coins/{coin.id}/market_chart/range", query))
            start = end
        return requests

    def parse_chart(self, body: bytes, coin: Coin, quote: str) -> list[Snapshot]:
        """The index prices in one answer, oldest first; a moment without a price is none. Raises: RemoteMalformed."""
        try:
            chart = self._chart(body)
            caps, volumes = dict(chart.market_caps), dict(chart.total_volumes)
            found = {
                time: _possible(
                    Snapshot(
                        self.name, coin.asset, quote.upper(), _moment(time), price, volumes.get(time), caps.get(time)
                    )
                )
                for time, price in chart.prices
                if price is not None
            }
        except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError) as error:
            raise RemoteMalformed(self.name, f"market_chart: {error}", excerpt(body)) from error
        return [found[time] for time in sorted(found)]

    def _listed(self, body: bytes) -> list[msgspec.Raw]:
        try:
            return self._markets(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"markets: {error}", excerpt(body)) from error

    def _of_market(self, market: _Market, asset: str, quote: str) -> Snapshot:
        if market.current_price is None or market.last_updated is None:
            raise ValueError(f"{market.id} has a price of no time")
        time = utc(iso_nanoseconds(market.last_updated))
        amounts = (market.current_price, market.total_volume, market.market_cap, market.price_change_percentage_24h)
        return _possible(Snapshot(self.name, asset, quote.upper(), time, *amounts))


def key_headers(plan: str, key: str) -> dict[str, str]:
    """The header by which CoinGecko knows us; none without a key, which its public host allows."""
    return {KEY_HEADERS[plan]: key} if key else {}


def read_refusal(status: int, body: bytes) -> Refusal | None:
    """What CoinGecko refuses: `{"status": {"error_code": 10010, "error_message": "..."}}`, or `{"error": "..."}`."""
    try:
        said = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    told = said.status or (said.error if isinstance(said.error, _Status) else None)
    if status in (401, 403) or (told is not None and told.error_code in _KEY_ERRORS):
        reason = told.error_message if told else str(said.error)
        return Refusal(f"{reason[:300]} (COINGECKO_API_KEY, COINGECKO_PLAN)")
    if status == 400 and (told or said.error):
        return Refusal((told.error_message if told else str(said.error))[:300])
    return None


def _possible(snapshot: Snapshot) -> Snapshot:
    """Raises: ValueError or InvalidOperation for what cannot be."""
    amounts = [amount for amount in (snapshot.volume_24h, snapshot.market_cap) if amount is not None]
    if not (LEAST < snapshot.price < GREATEST and all(0 <= amount < GREATEST for amount in amounts)):
        raise ValueError(f"impossible: {snapshot}")
    change = snapshot.change_percent_24h
    if change is not None and not -100 <= change <= CHANGE_PERCENT_MAX:
        raise ValueError(f"a change of {change} percent")
    return snapshot


def _moment(milliseconds: Decimal) -> datetime:
    if not 0 <= milliseconds < Decimal("253402300800000"):
        raise ValueError(f"{milliseconds} is no time")
    return EPOCH + int(milliseconds) * _MILLISECOND


def _seconds(time: datetime) -> str:
    return str((time - EPOCH) // _SECOND)
