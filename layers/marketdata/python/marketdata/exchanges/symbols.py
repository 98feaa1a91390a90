"""What a market is called: canonical `BASE-QUOTE`, each exchange's own spelling, and the forms that people type. Pure.

A spelling without a separator is cut where a known quote currency begins; where that could be in two places, the
choices are named and nothing is guessed. What is called otherwise since when: symbol_changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from marketdata.errors import Ambiguous, RequestInvalid

# Currencies that prices are in, and those that FX pairs are made of.
QUOTES = frozenset(
    [
        "USDT",
        "USDC",
        "USDD",
        "FDUSD",
        "TUSD",
        "BUSD",
        "DAI",
        "USD",
        "EUR",
        "GBP",
        "JPY",
        "AUD",
        "CAD",
        "CHF",
        "NZD",
        "BRL",
        "TRY",
        "RUB",
        "PLN",
        "UAH",
        "ZAR",
        "MXN",
        "ARS",
        "COP",
        "CZK",
        "RON",
        "IDR",
        "SEK",
        "NOK",
        "DKK",
        "HUF",
        "SGD",
        "HKD",
        "CNH",
        "THB",
        "INR",
        "KRW",
        "BTC",
        "ETH",
        "BNB",
        "XRP",
        "TRX",
        "DOGE",
        "SOL",
    ]
)
# What trades from Sunday to Friday 17:00 New York when both sides are of these. Metals pause within that, never beyond.
FX = frozenset(
    (
        *("AUD", "CAD", "CHF", "CNH", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "NOK", "NZD"),
        *("PLN", "RON", "RUB", "SEK", "SGD", "THB", "TRY", "USD", "ZAR", "XAU", "XAG"),
    )
)
# What exchanges call currencies otherwise, and whose word it is.
_CANONICAL: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"bitfinex": MappingProxyType({"UST": "USDT", "UDC": "USDC", "DSH": "DASH", "IOT": "IOTA", "QTM": "QTUM"})}
)
_SEPARATORS = "-_/: "
_CHARACTERS_MAX = 41


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A market: `base` is what is traded, `quote` what it is paid with."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}"


def parse_pair(text: str) -> Pair:
    """The market that a person means by `BTC-USD`, `eur/usd`, `EUR_USD`, `EURUSD`, `tBTCUSD` or `BTCUSDT`.

    Raises: RequestInvalid for what is no pair; Ambiguous with the choices.
    """
    plain = text.strip()
    # Bitfinex marks what trades with a small t; no currency is written small beside capitals.
    if plain[:1] == "t" and plain[1:].isupper():
        return _marked(text, plain[1:])
    for separator in _SEPARATORS:
        if separator in plain:
            base, _, quote = plain.upper().partition(separator)
            return _checked(text, base, quote)
    return _cut(text, plain.upper())


def _marked(text: str, plain: str) -> Pair:
    """Bitfinex's codes have three letters, or are kept apart."""
    base, _, quote = plain.partition(":") if ":" in plain else (plain[:-3], "", plain[-3:])
    return _checked(text, canonical_currency("bitfinex", base), canonical_currency("bitfinex", quote))


def _cut(text: str, glued: str) -> Pair:
    ends = [at for at in range(1, len(glued)) if glued[at:] in QUOTES]
    if not ends:
        raise RequestInvalid("symbol", f"{text[:64]!r} ends with no known currency; write it as BASE-QUOTE")
    # Of BTCUSDT and the like only one cut leaves two currencies that are known, or only one is possible at all.
    both = [at for at in ends if glued[:at] in QUOTES]
    chosen = both or ends
    if len(chosen) > 1:
        choices = tuple(f"{glued[:at]}-{glued[at:]}" for at in chosen)
        raise Ambiguous("symbol", f"{text[:64]!r} may be {' or '.join(choices)}", choices)
    return _checked(text, glued[: chosen[0]], glued[chosen[0] :])


def _checked(text: str, base: str, quote: str) -> Pair:
    if not (base.isascii() and base.isalnum() and quote.isascii() and quote.isalnum()) or len(text) > _CHARACTERS_MAX:
        raise RequestInvalid("symbol", f"{text[:64]!r} is not BASE-QUOTE")
    return Pair(base, quote)


def _bitfinex(pair: Pair) -> str:
    """Codes longer than three letters are kept apart: `tBTCUSD`, `tDOGE:USD`."""
    own = {canonical: code for code, canonical in _CANONICAL["bitfinex"].items()}
    base, quote = own.get(pair.base, pair.base), own.get(pair.quote, pair.quote)
    return f"t{base}{quote}" if len(base) == len(quote) == 3 else f"t{base}:{quote}"


_SPELLINGS: Mapping[str, Callable[[Pair], str]] = MappingProxyType(
    {
        "coinbase": str,
        "binance": lambda pair: f"{pair.base}{pair.quote}",
        "bitfinex": _bitfinex,
        "oanda": lambda pair: f"{pair.base}_{pair.quote}",
        "dukascopy": lambda pair: f"{pair.base}{pair.quote}",
    }
)


def spell(exchange: str, pair: Pair) -> str:
    """As that exchange writes it; its simulator writes alike. BASE-QUOTE where nothing else is known."""
    return _SPELLINGS.get(exchange.partition("-")[0], str)(pair)


def canonical_currency(exchange: str, code: str) -> str:
    """A currency's usual name: Bitfinex's UST is USDT."""
    return _CANONICAL.get(exchange.partition("-")[0], {}).get(code, code)
