"""Progress on standard error: a bar where a person watches, a line every ten seconds where nobody does."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINE_SECONDS = 10.0
RATE_SECONDS = 120.0
"""The time left is told by the pace of so long."""


class Ticker:
    """`with Ticker("verify") as ticker: ticker.show("BTC-USD", done=3, total=30)`; without a total there is no bar."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._title = title
        self._live = _progress(self._console) if self._console.is_terminal else None
        self._task = self._live.add_task(title, total=None, said="") if self._live is not None else None
        self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, text: str, *, done: float = 0, total: float | None = None) -> None:
        """Say how far it is."""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, said=text, completed=done, total=total)
        elif time.monotonic() - self._shown_at >= LINE_SECONDS:
            self._shown_at = time.monotonic()
            part = f"{done / total:.0%}, " if total else ""
            self._console.print(f"{self._title}: {part}{text}", soft_wrap=True, markup=False)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=console,
        transient=True,
        speed_estimate_period=RATE_SECONDS,
    )
