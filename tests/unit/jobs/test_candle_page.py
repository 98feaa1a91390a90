"""One bad candle costs itself, and not its page."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.jobs.candle_page import CandlePage, read_page
from marketdata.model.candle import Candle
from marketdata.model.timeframe import Timeframe

from tests.market import at

NOON = at("12:00")
OPENS = [int((NOON + minute * timedelta(minutes=1)).timestamp()) for minute in range(3)]
GOOD = [[opens, "1", "3", "2", "2", "5"] for opens in OPENS]


def read(body: object, history: CoinbaseRest | None = None) -> CandlePage:
    return read_page(history or CoinbaseRest(), json.dumps(body).encode(), "BTC-USD", NOON)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([OPENS[1], "3", "1", "2", "2", "5"], id="low above high"),
        pytest.param([OPENS[1] + 1, "1", "3", "2", "2", "5"], id="opens off the minute"),
        pytest.param([OPENS[1], None, "3", "2", "2", "5"], id="no low"),
        pytest.param("nonsense", id="no row at all"),
    ],
)
def test_the_rows_around_a_bad_one_are_read_and_it_is_quarantined(bad: object) -> None:
    page = read([GOOD[2], bad, GOOD[0]])
    assert [one.open_time for one in page.candles] == [NOON, NOON + timedelta(minutes=2)]
    (reason,) = page.quarantined
    assert json.dumps(bad).replace(" ", "") in reason.replace(" ", "")


@pytest.mark.parametrize("body", [["nonsense", "nonsense"], {"message": "hello"}, [[1, 2]]])
def test_an_answer_of_which_nothing_can_be_read_is_refused_whole(body: object) -> None:
    with pytest.raises(RemoteMalformed):
        read(body)


def test_a_candle_that_no_store_takes_is_quarantined_too() -> None:
    class Careless(CoinbaseRest):
        def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: object) -> list[Candle]:
            rows = super().parse_candles(body, symbol, timeframe, NOON)
            object.__setattr__(rows[1], "volume", Decimal(-1))
            return rows

    page = read(GOOD, Careless())
    assert len(page.candles) == 2
    assert "below zero" in page.quarantined[0]
