"""`config.yaml`: the instruments that a new database starts with."""

from pathlib import Path
from typing import Any

import yaml
from marketdata.errors import RequestInvalid
from marketdata.exchanges.places import SIMULATED_SUFFIX
from marketdata.exchanges.prices import split_price, usual_calendar
from marketdata.exchanges.registry import require_market
from marketdata.exchanges.symbols import Pair, parse_pair, spell
from marketdata.model.instrument import INVENTED_EXCHANGES, Calendar, Instrument
from marketdata.model.timeframe import TIMEFRAMES, timeframe_named
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SYMBOL_PATTERN = r"^[A-Z0-9]{1,20}-[A-Z0-9]{1,20}(:(bid|ask|mid))?$"


class InstrumentLine(BaseModel):
    """One instrument: its symbol as BASE-QUOTE (EUR-USD:bid), the timeframes kept of it, and when its market trades."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field(pattern=SYMBOL_PATTERN)
    timeframes: list[str] = [timeframe.name for timeframe in TIMEFRAMES]
    calendar: Calendar | None = None


class ExchangeLines(BaseModel):
    """What is followed of one exchange."""

    model_config = ConfigDict(extra="forbid")

    instruments: list[InstrumentLine] = Field(min_length=1, max_length=10_000)


class Config(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    exchanges: dict[str, ExchangeLines] = Field(min_length=1)


def read_config(path: Path) -> Config:
    """The configuration in `path`. Raises: RequestInvalid naming the file and the field."""
    try:
        document: Any = yaml.safe_load(path.read_text())
        config = Config.model_validate(document)
    except OSError as error:
        raise RequestInvalid(str(path), f"cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RequestInvalid(str(path), f"is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RequestInvalid(f"{path}: {'.'.join(map(str, first['loc']))}", first["msg"]) from error
    for exchange in config.exchanges:
        require_market(exchange)
    return config


def instruments(config: Config, *, simulated: bool) -> list[Instrument]:
    """The instruments of a configuration; `simulated` ones carry another exchange's name, never to be mixed up.

    Without it those of invented exchanges are left out: real and invented markets never share a database.
    """
    return [
        instrument(exchange, line.symbol, line.timeframes, simulated=simulated, calendar=line.calendar)
        for exchange, lines in config.exchanges.items()
        if simulated or exchange not in INVENTED_EXCHANGES
        for line in lines.instruments
    ]


def instrument(
    exchange: str, symbol: str, timeframes: list[str], *, simulated: bool, calendar: Calendar | None = None
) -> Instrument:
    """One instrument from what a person typed: BASE-QUOTE, or any form that parse_pair understands, and which price.

    Without a calendar it has the one that is usual there. Raises: RequestInvalid naming the field; Ambiguous with the
    choices.
    """
    plain, price = split_price(exchange, symbol)
    pair = parse_pair(plain)
    kept = {timeframe_named(name) for name in timeframes} | {TIMEFRAMES[0]}
    return Instrument(
        exchange=simulated_name(exchange) if simulated else exchange,
        symbol=spell(exchange, pair) + price,
        base=pair.base,
        quote=pair.quote,
        timeframes=tuple(sorted(kept, key=lambda timeframe: timeframe.minutes)),
        simulated=simulated or exchange in INVENTED_EXCHANGES,
        calendar=calendar or _usual_calendar(exchange, pair),
    )


def _usual_calendar(exchange: str, pair: Pair) -> Calendar:
    """Nobody closes an invented market, whatever it is called."""
    return Calendar.ALWAYS if exchange in INVENTED_EXCHANGES else usual_calendar(exchange, pair)


def simulated_name(exchange: str) -> str:
    """What an exchange is called where it is simulated; one that is invented anyway has no other name."""
    return exchange if exchange in INVENTED_EXCHANGES else f"{exchange}{SIMULATED_SUFFIX}"
