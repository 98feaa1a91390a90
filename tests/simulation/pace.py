"""How busy everything is: as in production, for figures in seconds; or at an unhurried pace, for many days."""

from dataclasses import dataclass, field

from marketdata.jobs.follow_live import Rhythm
from marketdata.jobs.mend import MendLimits
from marketdata.jobs.watch_symbols import WatchLimits
from marketdata.net.stream import Patience


@dataclass(frozen=True, slots=True)
class Pace:
    """The periods of the production code and of the exchange's heartbeat."""

    beat_seconds: float = 1.0
    rhythm: Rhythm = field(default_factory=Rhythm)
    patience: Patience = field(default_factory=Patience)
    mending: MendLimits = field(default_factory=MendLimits)
    watching: WatchLimits = field(default_factory=WatchLimits)
    fresh_seconds: float = 20.0
    """How long after its end a minute may be unsettled in the store while nothing is wrong."""


PRODUCTION = Pace()
UNHURRIED = Pace(
    beat_seconds=3.0,
    rhythm=Rhythm(
        publish_seconds=5.0,
        flush_seconds=8.0,
        instruments_seconds=60.0,
        status_seconds=20.0,
        watch_seconds=15.0,
        holes_seconds=10.0,
        repairs_seconds=20.0,
        late_seconds=10.0,
        revisions_seconds=20.0,
        news_seconds=20.0,
    ),
    patience=Patience(watch_seconds=3.0),
    mending=MendLimits(look_seconds=5.0),
    watching=WatchLimits(look_seconds=5.0, word_seconds_max=10.0),
    fresh_seconds=45.0,
)
"""A tenth of the events of production; waits that adapters name, such as for silence, stay what they are."""
