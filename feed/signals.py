"""SIGTERM and SIGINT, as whoever runs the process ends it."""

import asyncio
import signal
from collections.abc import Callable


def on_signal(stop: Callable[[], None], *, terminate: Callable[[], None] | None = None) -> None:
    """Call `stop` on the running loop at each of them, or `terminate` at SIGTERM if there is one.

    Process 1 has no default for SIGTERM.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGTERM, terminate or stop)
