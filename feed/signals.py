"""SIGTERM and SIGINT, as whoever runs the process ends it."""

import asyncio
import signal
from collections.abc import Callable


def on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` on the running loop at each of them. Process 1 has no default for SIGTERM."""
    loop = asyncio.get_running_loop()
    for wish in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wish, stop)
