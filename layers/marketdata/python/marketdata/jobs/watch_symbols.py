"""Doubt each instrument by itself: a connection may be alive while one symbol of it is mute. Run by follow_live.

Two witnesses speak against a silence. The exchange's heartbeats for the symbol, where they name its newest trade: as
long as they come, nothing needs to be asked. And its REST, asked for the newest trade when a silence is longer than the
instrument's own rhythm makes likely and no heartbeat speaks: one small request at a time, and after a confirmed silence
only twice as late again, so that a quiet instrument is left alone. Where a newer trade exists than the stream brought,
the mender fetches what is missing; a symbol that stays mute is subscribed anew, and at last the connection is replaced.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from marketdata.compute.pace import Pace, PatienceBounds
from marketdata.errors import RemoteError
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.model.trade import Trade

logger = logging.getLogger(__name__)

Newest = Callable[[str], Awaitable[Trade | None]]
"""Asks the exchange for the newest trade of a symbol; None: it never traded. Raises: RemoteError."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How often each instrument is looked at, and what is done about a mute one, in seconds."""

    look_seconds: float = 1.0
    word_seconds_max: float = 5.0
    """So long a heartbeat that names the newest trade speaks for a symbol."""
    settle_seconds: float = 3.0
    """What the exchange named and the stream did not bring for so long, it lost."""
    renew_seconds_between: float = 60.0
    strikes_seconds: float = 60.0
    """A loss so long after the one before is the first again."""
    retry_seconds: float = 5.0
    patience: PatienceBounds = field(default_factory=PatienceBounds)


class _Watched:
    """What is known of one symbol's silence."""

    def __init__(self, now: float, bounds: PatienceBounds) -> None:
        self.pace = Pace(now, bounds)
        self.signs = 0
        """Trades that the stream brought."""
        self.words = 0
        """Heartbeats that named a newest trade."""
        self.word_at = now
        self.known = 0
        """The newest id when the stream last brought something, or was last found to have lost something."""
        self.ahead_since: float | None = None
        self.strikes = 0
        self.struck_at = now


class WatchSymbols:
    """Watches the symbols of one followed exchange; `newest` is None where its trades cannot be asked for."""

    def __init__(self, followed: FollowedExchange, newest: Newest | None, limits: WatchLimits | None = None) -> None:
        self.asked = 0
        """Requests made."""
        self._followed = followed
        self._newest = newest
        self._limits = limits or WatchLimits()
        self._watched: dict[str, _Watched] = {}
        self._renewed_at = float("-inf")

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._limits.look_seconds)
            now = asyncio.get_running_loop().time()
            overdue = self._look(now)
            if overdue is not None and self._newest is not None:
                await self._ask(overdue, self._newest)

    def _look(self, now: float) -> str | None:
        """Look at every symbol that should flow; returns the one that is silent for longest beyond what is likely."""
        flowing = self._followed.stream.status.subscribed
        if self._followed.stream.status.state != "live":
            # Nobody is heard now: what is missed is found when the connection is there again.
            self._watched.clear()
            return None
        self._watched = {symbol: self._watched.get(symbol) or self._begin(symbol, now) for symbol in flowing}
        silent = [symbol for symbol, watched in self._watched.items() if self._is_doubtful(symbol, watched, now)]
        return max(silent, key=lambda one: self._watched[one].pace.overdue_seconds(now), default=None)

    def _begin(self, symbol: str, now: float) -> _Watched:
        watched = _Watched(now, self._limits.patience)
        watched.signs, watched.known = self._followed.signs(symbol), self._followed.newest_id(symbol)
        return watched

    def _is_doubtful(self, symbol: str, watched: _Watched, now: float) -> bool:
        """Whether nobody vouches for a silence that is longer than likely."""
        signs, words = self._followed.signs(symbol), self._followed.words.get(symbol, 0)
        if words != watched.words:
            watched.words, watched.word_at = words, now
        if signs != watched.signs:
            watched.signs, watched.known = signs, self._followed.newest_id(symbol)
            watched.pace.alive(now)
            watched.ahead_since = None
            return False
        if self._followed.told.get(symbol, 0) > watched.known:
            self._note_ahead(symbol, watched, now)
            return False
        return now - watched.word_at > self._limits.word_seconds_max and watched.pace.overdue_seconds(now) > 0

    def _note_ahead(self, symbol: str, watched: _Watched, now: float) -> None:
        """The exchange named a trade that the stream did not bring: in a moment it may have."""
        if watched.ahead_since is None:
            watched.ahead_since = now
        elif now - watched.ahead_since >= self._limits.settle_seconds:
            watched.ahead_since = None
            watched.known = self._followed.told[symbol]
            again = now - watched.struck_at <= self._limits.strikes_seconds
            watched.strikes, watched.struck_at = watched.strikes + 1 if again else 1, now
            self._act(symbol, watched.strikes, now)

    def _act(self, symbol: str, strikes: int, now: float) -> None:
        """Once may be a lost trade, and is mended; more often, the subscription is dead."""
        facts = {"exchange": self._followed.name, "symbol": symbol, "times": strikes}
        logger.warning("a symbol is mute: the exchange has newer trades than it sends", extra=facts)
        if strikes == 2:
            self._followed.resubscribe(symbol)
        elif strikes > 2 and now - self._renewed_at >= self._limits.renew_seconds_between:
            self._renewed_at = now
            self._followed.stream.renew()

    async def _ask(self, symbol: str, newest: Newest) -> None:
        try:
            self.asked += 1
            trade = await newest(symbol)
        except RemoteError as error:
            logger.warning("a silence cannot be checked", extra={"symbol": symbol, "reason": error.reason})
            await asyncio.sleep(self._limits.retry_seconds)
            return
        watched = self._watched.get(symbol)
        if watched is None:
            return
        if trade is None or trade.last_id <= self._followed.newest_id(symbol):
            watched.pace.confirm_silence(asyncio.get_running_loop().time())
        else:
            self._followed.take_word(trade)
