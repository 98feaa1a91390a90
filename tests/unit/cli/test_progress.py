"""Whoever watches sees how far it is, and how long it still takes."""

import io

from rich.console import Console

from cli.progress import Ticker


def test_a_person_sees_a_bar_with_its_share_and_the_time_left() -> None:
    screen = io.StringIO()
    with Ticker("verify", Console(file=screen, force_terminal=True, width=120)) as ticker:
        ticker.show("BTC-USD 2026-01-05", done=5, total=20)
    shown = screen.getvalue()
    assert "verify" in shown
    assert "25%" in shown
    assert "BTC-USD 2026-01-05" in shown


def test_without_a_total_there_is_no_share() -> None:
    screen = io.StringIO()
    with Ticker("recording", Console(file=screen, force_terminal=True, width=120)) as ticker:
        ticker.show("[5] frames")
    assert "%" not in screen.getvalue().replace("\x1b[0%", "")
    assert "[5] frames" in screen.getvalue()


def test_a_log_is_not_flooded() -> None:
    log = io.StringIO()
    with Ticker("repair", Console(file=log, width=120)) as ticker:
        for done in range(1000):
            ticker.show("fetching", done=done, total=1000)
    assert log.getvalue() == ""
