"""docs/clients.md does what it says: every Python example runs against the server."""

import re
import threading
from pathlib import Path

import pytest

from tests.clients.conftest import Served
from tests.clients.test_python_client import live_candle

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [
    pytest.param(example, id=f"{page}-{number}")
    for page in ("docs/clients.md", "clients/python/README.md")
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(served: Served, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setenv("MARKETDATA_URL", served.url)
    over = threading.Event()
    telling = threading.Thread(target=tell_until, args=(served, over))
    telling.start()
    try:
        exec(compile(example, "example", "exec"), {"__name__": "__main__"})
    finally:
        over.set()
        telling.join(10)


def tell_until(served: Served, over: threading.Event) -> None:
    """A market that moves: a candle closes every tenth of a second."""
    while not over.wait(0.1):
        served.publish("candle", live_candle(5))
