"""A port of this machine that nobody uses."""

import socket


def free_port() -> int:
    """A port that was free on 127.0.0.1 a moment ago; whoever takes it must be ready to lose the race for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
