"""What can go wrong at an exchange, as verbs on one handle. Tests and simulations hold it; the simulator obeys it.

Which trades a fault strikes depends on (seed, fault, connection, product, trade id) alone, so that one seed gives one
history; another connection loses other trades, as two real ones do. REST never lies: what the streams lose, it has.
"""

from collections import deque
from datetime import timedelta
from enum import IntEnum
from zlib import crc32

from local.exchanges.noise import mix, uniform

MALFORMED = '{"type":"match","trade_id":'
"""A frame that stops in the middle."""

_INJECTED_MAX = 1000


class Fault(IntEnum):
    """What can strike a single trade on its way."""

    DROP = 1
    DUPLICATE = 2
    HOLD_BACK = 3


class Faults:
    """A healthy exchange, until told otherwise."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._injected: deque[str] = deque(maxlen=_INJECTED_MAX)
        self.rest_status: tuple[int, dict[str, str]] | None = None
        self._cut = False
        self.heal()

    def drop_matches(self, fraction: float) -> None:
        """Lose that share of the trades on the streams."""
        self._fractions[Fault.DROP] = fraction

    def duplicate_matches(self, fraction: float) -> None:
        """Send that share of the trades twice."""
        self._fractions[Fault.DUPLICATE] = fraction

    def hold_back_matches(self, fraction: float, delay: timedelta) -> None:
        """Send that share of the trades `delay` late, after trades that happened later."""
        self._fractions[Fault.HOLD_BACK] = fraction
        self.delay = delay

    def mute(self, symbol: str, *, heartbeats_too: bool = False) -> None:
        """Say nothing more of the trades of one product; its trades meanwhile are not sent later."""
        self._muted[symbol] = heartbeats_too

    def unmute(self, symbol: str) -> None:
        """Speak of that product again."""
        self._muted.pop(symbol, None)

    def fall_silent(self) -> None:
        """Keep sockets open and say nothing, not even pongs; what would have been said is lost."""
        self.silent = True

    def speak_again(self) -> None:
        """End the silence."""
        self.silent = False

    def cut_connections(self) -> None:
        """Break every open connection once, without a closing handshake."""
        self._cut = True

    def refuse_connections(self, *, rest_too: bool = False) -> None:
        """Answer 503 to every new stream, and to every REST request if so asked."""
        self.refusing = True
        self.refusing_rest = rest_too

    def answer_rest(self, status: int, **headers: str) -> None:
        """Answer every REST request with that status: 451 for a legal block, 418 for a ban."""
        self.rest_status = (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def accept_connections(self) -> None:
        """Let streams and REST be asked again."""
        self.refusing = False
        self.refusing_rest = False

    def inject(self, frame: str) -> None:
        """Send one raw frame to every open connection."""
        self._injected.append(frame)

    def inject_malformed(self) -> None:
        """Send a frame that stops in the middle to every open connection."""
        self.inject(MALFORMED)

    def add_unknowns(self) -> None:
        """Add a field nobody has heard of to every frame, and a frame of an unknown type to every heartbeat."""
        self.unknowns = True

    def heal(self) -> None:
        """End every lasting fault."""
        self._fractions: dict[Fault, float] = {}
        self._muted: dict[str, bool] = {}
        self.delay = timedelta()
        self.silent = False
        self.refusing = False
        self.refusing_rest = False
        self.rest_status = None
        self.unknowns = False

    def strikes(self, fault: Fault, connection: int, symbol: str, trade_id: int) -> bool:
        """Whether `fault` befalls this trade on this connection."""
        fraction = self._fractions.get(fault, 0.0)
        if not fraction:
            return False
        return uniform(mix(self._seed, fault, connection), crc32(symbol.encode()), trade_id) < fraction

    def mutes_trades(self, symbol: str) -> bool:
        """Whether trades of this product are kept back for good."""
        return symbol in self._muted

    def mutes_heartbeats(self, symbol: str) -> bool:
        """Whether heartbeats of this product are."""
        return self._muted.get(symbol, False)

    def take_cut(self) -> bool:
        """Whether connections are to be cut now; asking uses it up."""
        cut, self._cut = self._cut, False
        return cut

    def take_injected(self) -> list[str]:
        """The frames to send now; asking uses them up."""
        frames = list(self._injected)
        self._injected.clear()
        return frames
