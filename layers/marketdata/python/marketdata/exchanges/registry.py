"""Which adapters exist, by the exchange's name in data. Adding an exchange adds a row here and one in places."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from marketdata.errors import RequestInvalid
from marketdata.exchanges import binance_rest, bitfinex_rest, coinbase_rest, coingecko, oanda, synthetic
from marketdata.exchanges.binance import BinanceAggregates, BinanceRecording, BinanceTrades
from marketdata.exchanges.binance_aggregates import BinanceAggregateSearch
from marketdata.exchanges.binance_archive import ARCHIVE_URL, BinanceArchive
from marketdata.exchanges.binance_rest import BinanceRest
from marketdata.exchanges.bitfinex import BitfinexTrades
from marketdata.exchanges.bitfinex_rest import BitfinexRest, read_refusal
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.exchanges.coinbase_recording import CoinbaseRecording
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.coingecko import CoinGecko
from marketdata.exchanges.exchange import (
    AnyTradeHistory,
    CandleHistory,
    FrameDecoder,
    LiveTrades,
    ReadRefusal,
    TradeArchive,
    TradesByTime,
    Weights,
)
from marketdata.exchanges.oanda import OandaPricing, OandaRecording, OandaRest
from marketdata.exchanges.places import require_known
from marketdata.exchanges.snapshot_source import SnapshotSource
from marketdata.exchanges.synthetic import SyntheticQuotes, SyntheticTrades
from marketdata.exchanges.synthetic_rest import SyntheticQuoteRest, SyntheticRest
from marketdata.model.quote import PriceSide


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one exchange is read; what it cannot be asked for is None.

    Live `feeds` by name, made of (url, name), the first being the default; `recording` reads captured frames. Settings
    may name another `rest_url`, feed and WebSocket address: see wiring.
    """

    rest_url: str
    feeds: Mapping[str, Callable[..., LiveTrades]] = field(default_factory=dict)
    recording: Callable[[str], FrameDecoder] | None = None
    trade_history: Callable[[str], AnyTradeHistory] | None = None
    trade_history_at: Mapping[str, Callable[[str], AnyTradeHistory]] = field(default_factory=dict)
    """By REST address, where one of them has more than the others."""
    mending: Mapping[str, Callable[[str], AnyTradeHistory]] = field(default_factory=dict)
    """By feed, what its losses are mended from, where that is not `trade_history`."""
    trades_by_time: Callable[[str], TradesByTime] | None = None
    candle_history: Callable[[str], CandleHistory] | None = None
    ids_contiguous: bool = False
    """Whether the exchange numbers the trades of one symbol one by one, so that a run of ids proves completeness."""
    requests_per_second: float = 1.0
    requests_burst: int = 1
    """REST limits, of weights where it weighs requests; well below the exchange's own: others may share our address."""
    weights: Weights | None = None
    needs_token: bool = False
    """Whether it answers only those whom it knows."""
    usual_side: PriceSide | None = None
    """Where quotes stream instead of trades: the price of candles that are asked for by the plain symbol."""
    archive: Callable[[str], TradeArchive] | None = None
    archive_url: str | None = None
    """Where whole days of trades are, in files."""

    snapshots: Callable[[str], SnapshotSource] | None = None
    """Where whole assets are valued over many exchanges; then there is nothing else here: see `__post_init__`."""

    read_refusal: ReadRefusal | None = None
    """Where the status of an answer alone does not say whose move it is."""

    def __post_init__(self) -> None:
        """Raises: TypeError for an index that could be taken for an exchange, and its prices for candles."""
        others = (self.recording, self.trade_history, self.trades_by_time, self.candle_history, self.archive)
        if self.snapshots and (any(others) or self.feeds or self.trade_history_at or self.mending):
            raise TypeError("an index over many exchanges has no candles, trades or feeds")

    def trades_at(self, rest_url: str, feed: str = "") -> Callable[[str], AnyTradeHistory] | None:
        """What is asked for trades by id at that address; with `feed`, for those that it lost."""
        return self.trade_history_at.get(rest_url.rstrip("/")) or self.mending.get(feed) or self.trade_history

    @property
    def default_feed(self) -> str:
        """The feed that is followed unless a setting says otherwise; nothing where there is none."""
        return next(iter(self.feeds), "")


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "coinbase": Adapter(
            rest_url=coinbase_rest.REST_URL,
            feeds={"exchange": CoinbaseExchange, "advanced": CoinbaseAdvanced},
            recording=CoinbaseRecording,
            trade_history=CoinbaseRest,
            candle_history=CoinbaseRest,
            ids_contiguous=True,
            requests_per_second=5.0,
            requests_burst=10,
        ),
        "bitfinex": Adapter(
            rest_url=bitfinex_rest.REST_URL,
            feeds={"trades": BitfinexTrades},
            recording=lambda name: BitfinexTrades(name=name),
            trades_by_time=BitfinexRest,
            candle_history=BitfinexRest,
            # 15 requests for trades a minute, 30 for candles; whoever asks for more is shut out for a minute.
            requests_per_second=0.25,
            requests_burst=5,
            read_refusal=read_refusal,
        ),
        "binance": Adapter(
            rest_url=binance_rest.REST_URL,
            feeds={"trade": BinanceTrades, "aggTrade": BinanceAggregates},
            recording=BinanceRecording,
            trade_history=BinanceAggregateSearch,
            mending=MappingProxyType({"trade": partial(BinanceAggregateSearch, recent_singly=True)}),
            trade_history_at=MappingProxyType({binance_rest.MAIN_REST_URL: BinanceRest}),
            candle_history=BinanceRest,
            ids_contiguous=True,
            # Weights of 6,000 a minute.
            requests_per_second=50.0,
            requests_burst=200,
            archive=BinanceArchive,
            archive_url=ARCHIVE_URL,
            weights=Weights(binance_rest.WEIGHT_HEADER, binance_rest.WEIGHT_A_MINUTE),
        ),
        "oanda": Adapter(
            rest_url=oanda.REST_URL,
            feeds={"pricing": OandaPricing},
            recording=OandaRecording,
            candle_history=OandaRest,
            requests_per_second=20.0,
            requests_burst=20,
            needs_token=True,
            usual_side=PriceSide.MID,
            read_refusal=oanda.read_refusal,
        ),
        synthetic.TRADES_NAME: Adapter(
            rest_url=synthetic.REST_URL,
            feeds={"trades": SyntheticTrades},
            recording=lambda name: SyntheticTrades(name=name),
            trade_history=SyntheticRest,
            candle_history=SyntheticRest,
            ids_contiguous=True,
            requests_per_second=50.0,
            requests_burst=50,
        ),
        synthetic.QUOTES_NAME: Adapter(
            rest_url=synthetic.REST_URL,
            feeds={"quotes": SyntheticQuotes},
            recording=lambda name: SyntheticQuotes(name=name),
            candle_history=SyntheticQuoteRest,
            requests_per_second=50.0,
            requests_burst=50,
            usual_side=synthetic.USUAL_SIDE,
        ),
        "coingecko": Adapter(
            rest_url=coingecko.REST_URLS[coingecko.DEMO],
            snapshots=CoinGecko,
            requests_per_second=coingecko.REQUESTS_A_MINUTE / 60,
            read_refusal=coingecko.read_refusal,
        ),
    }
)


def adapter_for(exchange: str) -> Adapter:
    """The adapter of an exchange or of its simulator. Raises: RequestInvalid naming the exchanges there are."""
    return ADAPTERS[require_known(exchange)]


def require_market(exchange: str) -> None:
    """Raises: RequestInvalid for an exchange without an adapter, and for an index, which has no instruments."""
    if adapter_for(exchange).snapshots:
        raise RequestInvalid("exchange", f"{exchange} is an index over many exchanges; COINGECKO_IDS names its coins")


def live_trades(exchange: str, feed: str, url: str | None = None) -> LiveTrades:
    """The live stream of an exchange, at `url` or its public address. Raises: RequestInvalid listing the feeds."""
    adapter = adapter_for(exchange)
    if feed not in adapter.feeds:
        choices = tuple(adapter.feeds)
        raise RequestInvalid("feed", f"{exchange} has no feed {feed!r}; it has {', '.join(choices)}", choices)
    make = adapter.feeds[feed]
    return make(name=exchange) if url is None else make(url, exchange)


def recording(exchange: str) -> FrameDecoder:
    """What reads captured frames of an exchange. Raises: RequestInvalid where it has no frames."""
    adapter = adapter_for(exchange)
    if adapter.recording is None:
        raise RequestInvalid("exchange", f"{exchange} has no stream whose frames could be replayed")
    return adapter.recording(exchange)
