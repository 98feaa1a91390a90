"""What a market is called: by people, by exchanges, and at which time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import Ambiguous, RequestInvalid
from marketdata.exchanges.symbols import QUOTES, Pair, canonical_currency, parse_pair, spell

EXCHANGES = ["coinbase", "binance", "bitfinex", "oanda", "dukascopy", "binance-simulated"]


@pytest.mark.parametrize("typed", ["EUR-USD", "EURUSD", "EUR_USD", "EUR/USD", "eur/usd", "eurusd", " EUR USD "])
def test_the_forms_that_people_type_are_one_market(typed: str) -> None:
    assert parse_pair(typed) == Pair("EUR", "USD")


@pytest.mark.parametrize(
    ("typed", "pair"),
    [
        ("tBTCUSD", "BTC-USD"),
        ("tDOGE:USD", "DOGE-USD"),
        ("tBTCUST", "BTC-USDT"),
        ("BTCUSDT", "BTC-USDT"),
        ("ethbtc", "ETH-BTC"),
        ("TRXUSD", "TRX-USD"),
        ("trxusd", "TRX-USD"),
        ("USDCUSDT", "USDC-USDT"),
        ("USDTTRY", "USDT-TRY"),
        ("USDTRY", "USD-TRY"),
        ("1INCHUSDT", "1INCH-USDT"),
    ],
)
def test_a_spelling_without_separator_is_cut_where_a_known_currency_begins(typed: str, pair: str) -> None:
    assert str(parse_pair(typed)) == pair


def test_what_can_be_cut_in_two_places_is_an_error_that_lists_the_choices() -> None:
    """FUSDT... the quote may be USD or the longer code, and neither base is a currency that settles it."""
    with pytest.raises(Ambiguous) as refused:
        parse_pair("ABCFDUSD")
    assert set(refused.value.choices) == {"ABC-FDUSD", "ABCFD-USD"}


@pytest.mark.parametrize("typed", ["", "BTC", "-USD", "BTC-", "BTCXYZ", "B*C-USD", "A-B-C", "é-USD", "A" * 50 + "-USD"])
def test_what_is_no_market_is_refused(typed: str) -> None:
    with pytest.raises(RequestInvalid):
        parse_pair(typed)


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        ("coinbase", "BTC-USDT"),
        ("binance", "BTCUSDT"),
        ("bitfinex", "tBTCUST"),
        ("oanda", "BTC_USDT"),
        ("coinbase-simulated", "BTC-USDT"),
        ("somewhere", "BTC-USDT"),
    ],
)
def test_each_exchange_spells_its_own_way(exchange: str, symbol: str) -> None:
    assert spell(exchange, Pair("BTC", "USDT")) == symbol


def test_bitfinex_keeps_long_codes_apart_and_has_names_of_its_own() -> None:
    assert spell("bitfinex", Pair("DOGE", "USD")) == "tDOGE:USD"
    assert spell("bitfinex", Pair("BTC", "USD")) == "tBTCUSD"
    assert canonical_currency("bitfinex", "UST") == "USDT"
    assert canonical_currency("coinbase", "UST") == "UST"


@given(st.sampled_from(["BTC", "ETH", "SOL", "DOGE", "XRP", "EUR"]), st.sampled_from(sorted(QUOTES)))
def test_every_spelling_of_a_pair_of_known_currencies_is_read_back_or_named_ambiguous(base: str, quote: str) -> None:
    for exchange in EXCHANGES:
        assert f"{base}-{quote}" in readings(spell(exchange, Pair(base, quote)))


def readings(symbol: str) -> tuple[str, ...]:
    try:
        return (str(parse_pair(symbol)),)
    except Ambiguous as ambiguous:
        return ambiguous.choices
