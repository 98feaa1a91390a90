"""Give an answer about a market again for a few seconds, unless something changed it. Called by the api function.

A cache that is down or holds what cannot be read costs its gain and nothing else: the answer is made anew.
"""

import logging
from collections.abc import Callable, Collection

from marketdata.errors import StoreError
from marketdata.store.answer_cache import AnswerCache, Market

logger = logging.getLogger(__name__)


class RememberedAnswers:
    """Answers kept for `seconds` in `cache`; 0 keeps none. `failed` hears of each time that it could not be asked."""

    def __init__(self, cache: AnswerCache, seconds: float, failed: Callable[[], None] = lambda: None) -> None:
        self._cache = cache
        self._seconds = seconds
        self._failed = failed

    def answer(self, market: Market, question: str, make: Callable[[], bytes]) -> tuple[bytes, bool]:
        """The answer to `question`, and whether it was kept. A question says all that its answer depends on.

        Raises: whatever `make` raises, and then nothing is kept.
        """
        if self._seconds <= 0:
            return make(), False
        try:
            kept, generation = self._cache.recall(market, question)
        except StoreError:
            self._failed()
            return make(), False
        if kept is not None:
            return kept, True
        made = make()
        try:
            self._cache.keep(market, question, generation, made, self._seconds)
        except StoreError:
            self._failed()
        return made, False

    def forget(self, markets: Collection[Market]) -> None:
        """These markets changed. If that cannot be said, what was kept of them is given for its seconds."""
        if self._seconds <= 0 or not markets:
            return
        try:
            self._cache.forget(markets)
        except StoreError as error:
            self._failed()
            logger.warning("answers of changed markets are kept for their seconds", extra={"reason": error.reason})
