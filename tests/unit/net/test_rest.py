"""Polite HTTP: paced, bounded, and every failure named by whose move it is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RemoteBlocked, RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.exchange import Request, Weights
from marketdata.net.rest import PacedBudget, Rest

NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)


class Ticks:
    """A monotonic clock that moves when someone sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def exchange(status: int, body: bytes = b"[]", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike, and what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rest(url: str, ticks: Ticks, budget: PacedBudget | None = None) -> Rest:
    return Rest("coinbase", url, budget or PacedBudget(10, 5, ticks), FakeClock(NOON), sleep=ticks.sleep)


def test_a_request_is_made_below_the_base_address() -> None:
    with exchange(200, b"body") as (url, asked):
        client = rest(url, Ticks())
        assert client.get(Request("/products/BTC-USD/trades", (("limit", "5"),))) == b"body"
        client.close()
    assert asked == ["/api/products/BTC-USD/trades?limit=5"]


@pytest.mark.parametrize("status", [429, 418])
def test_an_exchange_that_asks_for_patience_gets_it_from_everyone(status: int) -> None:
    ticks = Ticks()
    budget = PacedBudget(10, 5, ticks)
    with exchange(status, Retry_After="20") as (url, asked):
        client = rest(url, ticks, budget)
        with pytest.raises(RemoteThrottled) as throttled:
            client.get(Request("/x"))
        client.close()
    assert throttled.value.retry_at == NOON + timedelta(seconds=20)
    assert budget.take() >= 20
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, RemoteUnavailable), (503, RemoteUnavailable), (404, RemoteMalformed), (302, RemoteMalformed)],
)
def test_other_answers_say_whose_move_it_is(status: int, error: type[Exception]) -> None:
    with exchange(status, Location="/elsewhere") as (url, _):
        client = rest(url, Ticks())
        with pytest.raises(error):
            client.get(Request("/x"))
        client.close()


def test_a_slow_down_a_ban_and_a_legal_block_are_told_apart() -> None:
    """451 and a firewall's 403 are nobody's to wait out: the operator has to choose another host."""
    said = {}
    errors = ((429, RemoteThrottled), (418, RemoteThrottled), (451, RemoteBlocked), (403, RemoteBlocked))
    for status, error in errors:
        with exchange(status) as (url, _):
            client = rest(url, Ticks())
            with pytest.raises(error) as refused:
                client.get(Request("/x"))
            client.close()
        said[status] = refused.value
    assert "slow down" in str(said[429])
    assert "banned until 2026-08-09T12:02:00Z" in str(said[418])
    for status in (451, 403):
        assert "operator" in str(said[status])
        assert "COINBASE_REST_URL" in str(said[status])


def test_the_weight_that_an_exchange_counts_holds_everyone_back_until_the_next_minute() -> None:
    """It counts what others at our address used, too."""
    for used, wait in ((4_800, 0.0), (4_801, 60.0)):
        ticks = Ticks()
        budget = PacedBudget(50, 200, ticks)
        with exchange(200, X_MBX_USED_WEIGHT_1M=str(used)) as (url, _):
            weights = Weights("X-MBX-USED-WEIGHT-1M", 6_000)
            client = Rest("binance", url, budget, FakeClock(NOON), sleep=ticks.sleep, weights=weights)
            client.get(Request("/x"))
            client.close()
        assert wait <= budget.take() <= wait * 1.1


def test_a_heavy_request_takes_as_much_of_the_budget_as_it_weighs() -> None:
    budget = PacedBudget(10, 30, Ticks())
    assert [round(budget.take(25), 3) for _ in range(3)] == [0, 0, 2.1]


def test_nobody_there_is_unavailable() -> None:
    client = rest("http://127.0.0.1:1", Ticks())
    with pytest.raises(RemoteUnavailable):
        client.get(Request("/x"))
    client.close()


def test_a_budget_allows_a_burst_and_then_its_pace() -> None:
    ticks = Ticks()
    budget = PacedBudget(10, 3, ticks)
    assert [round(budget.take(), 3) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    ticks.sleep(10)
    assert [round(budget.take(), 3) for _ in range(4)] == [0, 0, 0, 0.1]


def test_a_spent_budget_is_no_reason_to_wait_for_ever() -> None:
    ticks = Ticks()
    budget = PacedBudget(10, 1, ticks)
    budget.block(3_600)
    client = rest("http://127.0.0.1:1", ticks, budget)
    with pytest.raises(RemoteThrottled):
        client.get(Request("/x"))
    client.close()
