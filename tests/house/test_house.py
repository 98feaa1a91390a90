"""`make up` as its user meets it: real processes, the real database, the real handlers, one port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError

from local.secrets_file import read_environment_file
from local.supabase_binaries import NODE_MODULES
from supabase import ClientOptions, create_client

MARKETDATA = Path(sys.executable).with_name("marketdata")
CONFIG = Path(__file__).parents[2] / "config.yaml"
DEADLINE_SECONDS = 60.0

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not NODE_MODULES.is_dir(), reason="the npm packages are not installed: run `make install`"),
]


class House:
    """A house that was put up, what it says, and its door."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.folder = folder
        self.url = f"http://localhost:{port}"
        self.said = folder / "said.txt"
        command = [str(MARKETDATA), "up", "--port", str(port), "--data", str(folder), "--config", str(CONFIG), *options]
        with self.said.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)

    def text(self) -> str:
        return self.said.read_text()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def until(self, happened: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.text()
            try:
                if result := happened():
                    return result
            except OSError:
                pass
            time.sleep(0.1)  # another process works; there is nothing here to wait on
        raise AssertionError(f"it never happened: {self.text()}")

    def secrets(self) -> dict[str, str]:
        return read_environment_file(self.folder / "simulated" / "house.env")

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    put_up = House(tmp_path_factory.mktemp("house"), free_port())
    try:
        put_up.until(lambda: "first candle stored" in put_up.text())
        yield put_up
    finally:
        if put_up.process.poll() is None:
            put_up.interrupt()


def test_it_says_what_runs_where_and_shows_its_first_candle(house: House) -> None:
    text = house.text()
    for word in ("page", "API", "stream", "Supabase", "Postgres", "exchange", "follows", "data", "SIMULATED"):
        assert word in text
    assert "s after start: coinbase-simulated" in text


def test_every_candle_is_labelled_as_simulated(house: House) -> None:
    answer = house.get("/v1/candles?symbol=BTC-USD&timeframe=1m")
    assert answer["data"]
    assert {candle["exchange"] for candle in answer["data"]} == {"coinbase-simulated"}
    assert all(candle["simulated"] for candle in answer["data"])
    assert answer["meta"]["simulated"] is True
    assert all(instrument["simulated"] for instrument in house.get("/v1/instruments")["data"])


def test_the_feed_is_live_and_the_api_is_ready(house: House) -> None:
    house.until(lambda: [feed for feed in house.get("/v1/status")["feeds"] if feed["state"] == "live"])
    assert house.get("/v1/health/ready")["status"] == "ready"
    assert house.get("/feed/health")["state"] == "live"


def test_unmodified_supabase_py_reads_with_the_anon_key_and_writes_with_the_service_key_only(house: House) -> None:
    secrets = house.secrets()
    with httpx.Client() as http:
        # A client of its own: supabase-py leaves the one that it makes open.
        options = ClientOptions(httpx_client=http)
        anonymous = create_client(house.url, secrets["SUPABASE_ANON_KEY"], options)
        rows = house.until(lambda: anonymous.table("candles_v").select("*").eq("timeframe", "1m").execute().data)
        assert rows[0]["simulated"] is True
        added = {"exchange": "x", "symbol": "A-B", "base": "A", "quote": "B", "active": False}
        with pytest.raises(APIError, match=r"permission denied|row-level security"):
            anonymous.table("instruments").insert(added).execute()
    with httpx.Client() as http:
        service = create_client(house.url, secrets["SUPABASE_SERVICE_ROLE_KEY"], ClientOptions(httpx_client=http))
        assert service.table("instruments").insert(added).execute().data


def test_cron_is_for_those_who_know_the_secret(house: House) -> None:
    request = urllib.request.Request(f"{house.url}/v1/cron/roll_up", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    request.add_header("Authorization", f"Bearer {house.secrets()['CRON_SECRET']}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["status"] == "success"
    assert house.get("/v1/candles?symbol=BTC-USD&timeframe=5m")["data"]


def test_an_instrument_added_while_it_runs_is_followed_without_a_reconnect(house: House) -> None:
    environment = {**os.environ, **house.secrets()}
    removed = [str(MARKETDATA), "instruments", "remove", "coinbase-simulated", "SOL-USD"]
    subprocess.run(removed, env=environment, check=True, capture_output=True, timeout=30)
    house.until(
        lambda: (
            "SOL-USD" not in house.get("/feed/health")["exchanges"][0].get("detail", "") and feed(house)["symbols"] == 4
        )
    )
    added = [str(MARKETDATA), "instruments", "add", "coinbase-simulated", "SOL-USD"]
    subprocess.run(added, env=environment, check=True, capture_output=True, timeout=30)
    house.until(lambda: feed(house)["symbols"] == 5)
    assert feed(house)["reconnects"] == 0


def feed(house: House) -> Any:
    return house.get("/feed/health")["exchanges"][0]


def test_the_stream_carries_growing_candles(house: House) -> None:
    with urllib.request.urlopen(f"{house.url}/stream?symbol=BTC-USD&kinds=candle", timeout=20) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        for line in stream:
            if line.startswith(b"data: "):
                candle = json.loads(line[6:])
                assert (candle["symbol"], candle["timeframe"], candle["simulated"]) == ("BTC-USD", "1m", True)
                return


def test_a_minute_becomes_proven(house: House) -> None:
    def proven() -> list[Any]:
        candles = house.get("/v1/candles/latest?symbol=BTC-USD&timeframe=1m&limit=10")["data"]
        return [candle for candle in candles if candle["source"] == "proven" and candle["complete"]]

    deadline = time.monotonic() + 130
    while not proven():
        assert time.monotonic() < deadline
        time.sleep(1)  # a whole real minute has to pass: the house runs on the real clock


def test_the_year_before_is_ordered_and_comes_in_newest_first(house: House) -> None:
    ordered = house.get("/v1/gaps?symbol=BTC-USD")["data"]
    assert any(gap["cause"] == "history" and gap["buckets"] > 300 * 1440 for gap in ordered)
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%MZ")
    query = f"/v1/candles?symbol=BTC-USD&timeframe=1m&end={an_hour_ago}&limit=500"
    house.until(lambda: len(house.get(query)["data"]) == 500)
    assert {candle["source"] for candle in house.get(query)["data"]} <= {"venue", "proven"}


def test_a_feed_that_dies_is_started_again(house: House) -> None:
    before = feed(house)["feed_id"]
    os.kill(int(before.rpartition("-")[2]), signal.SIGKILL)
    house.until(lambda: feed(house)["feed_id"] != before and feed(house)["state"] == "live")
    assert "feed ended (-9)" in house.text()


def test_ctrl_c_stops_everything_and_the_data_is_there_at_the_next_start(house: House) -> None:
    before = house.get("/v1/candles/latest?symbol=BTC-USD&timeframe=1m&limit=100")["data"]
    assert house.interrupt() == 0
    assert "the data stays in" in house.text()
    again = House(house.folder, free_port())
    try:
        again.until(lambda: again.text().count("first candle stored") >= 2)
        after = {
            one["open_time"]: one
            for one in again.get("/v1/candles/latest?symbol=BTC-USD&timeframe=1m&limit=500")["data"]
        }
        assert set(after) >= {candle["open_time"] for candle in before}
        proven = [candle for candle in before if candle["source"] == "proven" and candle["complete"]]
        assert [after[candle["open_time"]] for candle in proven] == proven
    finally:
        assert again.interrupt() == 0


def test_a_port_in_use_gets_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [MARKETDATA, "up", "--port", str(port), "--data", tmp_path, "--config", CONFIG],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: port {port} cannot be had (Address already in use); try `make up PORT={port + 10}`"
    ]


def test_a_house_whose_database_dies_says_so_and_ends(tmp_path: Path) -> None:
    house = House(tmp_path, free_port())
    house.until(lambda: house.get("/v1/health/live"))
    (pid_file,) = tmp_path.rglob("postmaster.pid")
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    assert house.process.wait(60) == 1
    (error,) = [line for line in house.text().splitlines() if line.startswith("error: ")]
    assert "Postgres ended" in error
    assert "start again" in error
