"""Progress on standard error: a live line where a person watches, a line every ten seconds where nobody does."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

LINE_SECONDS = 10.0


class Ticker:
    """`with Ticker("recording") as ticker: ticker.show("5 frames")`."""

    def __init__(self, title: str) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._title = title
        self._status: Status | None = self._console.status(title) if self._console.is_terminal else None
        self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, text: str) -> None:
        """Say how far it is."""
        if self._status is not None:
            self._status.update(f"{self._title}: {text}")
        elif time.monotonic() - self._shown_at >= LINE_SECONDS:
            self._shown_at = time.monotonic()
            self._console.print(f"{self._title}: {text}", soft_wrap=True, markup=False)
