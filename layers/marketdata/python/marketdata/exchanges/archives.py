"""Which archives of quotes there are, by the exchange's name in data and by their source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from marketdata.errors import RequestInvalid
from marketdata.exchanges import dukascopy
from marketdata.exchanges.dukascopy_classic import CLASSIC_URL, DukascopyClassic
from marketdata.exchanges.dukascopy_json import JSON_URL, DukascopyJson
from marketdata.exchanges.exchange import TickArchive


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """One wire form of an archive: what reads it, where it is, and how often it may be asked."""

    make: Callable[[str], TickArchive]
    url: str
    requests_per_second: float
    requests_burst: int


# Dukascopy publishes no limit, and blocks addresses that ask too fast: some ten a second were seen to pass.
ARCHIVES: Mapping[str, Mapping[str, ArchiveSource]] = MappingProxyType(
    {
        dukascopy.NAME: MappingProxyType(
            {
                "classic": ArchiveSource(DukascopyClassic, CLASSIC_URL, 8.0, 4),
                "json": ArchiveSource(DukascopyJson, JSON_URL, 4.0, 2),
            }
        )
    }
)


def archive_source(exchange: str, source: str) -> ArchiveSource:
    """One wire form of one archive. Raises: RequestInvalid naming those there are."""
    sources = ARCHIVES.get(exchange)
    if sources is None:
        raise RequestInvalid("exchange", f"{exchange!r} has no archive; {', '.join(ARCHIVES)} has", tuple(ARCHIVES))
    if source not in sources:
        raise RequestInvalid("source", f"{exchange} has no {source!r}; it has {', '.join(sources)}", tuple(sources))
    return sources[source]
