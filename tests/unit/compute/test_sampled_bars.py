"""Candles of a stream of quotes: `live` where the connection held, never more, and in every price asked for."""

from decimal import Decimal

from marketdata.compute.sampled_bars import SampledBars
from marketdata.model.candle import Source
from marketdata.model.events import Heartbeat
from marketdata.model.quote import PriceSide, Quote


def quote(seconds: float) -> Quote:
    return Quote("EUR_USD", int(seconds * 1e9), Decimal(1), Decimal(3))


def sources(bars: SampledBars) -> list[Source]:
    return [candle.source for candle in bars.candles()]


def test_a_minute_seen_from_before_its_opening_to_after_its_close_is_live() -> None:
    bars = SampledBars("oanda", [PriceSide.MID], PriceSide.MID)
    for seconds in (59, 61, 125, 181):
        bars.add(quote(seconds))
    assert sources(bars) == [Source.PARTIAL, Source.LIVE, Source.LIVE, Source.PARTIAL]


def test_a_heartbeat_closes_a_minute() -> None:
    bars = SampledBars("oanda", [PriceSide.MID], PriceSide.MID)
    bars.heartbeat(Heartbeat(None, None, 0))
    bars.add(quote(30))
    assert sources(bars) == [Source.PARTIAL]
    bars.heartbeat(Heartbeat(None, None, 60 * 10**9))
    assert sources(bars) == [Source.LIVE]


def test_a_minute_in_which_the_connection_ended_is_partial() -> None:
    bars = SampledBars("oanda", [PriceSide.MID], PriceSide.MID)
    for seconds in (0, 61, 62):
        bars.add(quote(seconds))
    bars.disconnected()
    for seconds in (63, 121, 181):
        bars.add(quote(seconds))
    assert sources(bars) == [Source.LIVE, Source.PARTIAL, Source.LIVE, Source.PARTIAL]


def test_every_price_has_candles_of_its_own_name() -> None:
    bars = SampledBars("oanda", list(PriceSide), PriceSide.MID)
    bars.add(quote(1))
    assert [(one.symbol, one.open) for one in bars.candles()] == [
        ("EUR_USD", Decimal(2)),
        ("EUR_USD:ask", Decimal(3)),
        ("EUR_USD:bid", Decimal(1)),
    ]
