"""`marketdata export` on a real store: files that are exact, and exit codes that tell of gaps."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from marketdata.clock import FakeClock
from marketdata.model.export import ExportProgress
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from pyarrow import parquet

from cli.kept_parts import KeptParts
from tests.conftest import RunningSupabase
from tests.market import BTC, MINUTE, at, candle, minutes
from tests.unit.cli.test_coverage import run
from tests.unit.cli.test_main import MARKETDATA

pytestmark = pytest.mark.stack

SPAN = ("--from", "2026-08-09T10:00:00Z", "--to", "2026-08-09T11:00:00Z")


@pytest.fixture
def supabase(empty_supabase: RunningSupabase) -> RunningSupabase:
    """Minutes from ten to eleven, but for five before eleven."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC])
    store.put_candles(minutes("10:00", "10:55"))
    while store.roll_up():
        pass
    store.close()
    return empty_supabase


def test_a_file_with_a_hole_is_written_and_the_exit_code_tells(supabase: RunningSupabase, tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    done = run(supabase, "export", "btcusd", "--out", str(path), *SPAN, "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["condition"], told["gaps_total"]) == (55, "missing", 1)
    assert parquet.read_table(path).num_rows == 55
    assert [one.name for one in tmp_path.iterdir()] == ["candles.parquet"]


def test_a_whole_file_is_exit_code_nothing(supabase: RunningSupabase, tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    done = run(
        supabase, "export", "BTC-USD", "-o", str(path), "--from", "2026-08-09T10:00:00Z", "--to", "2026-08-09T10:30:00Z"
    )
    assert done.returncode == 0, done.stderr
    assert "30 candles" in done.stderr
    lines = path.read_text().splitlines()
    assert (len(lines), lines[1].split(",")[3]) == (31, at("10:00").strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize("out", ["candles.xlsx", "/nowhere/candles.csv"])
def test_a_place_that_cannot_be_written_is_the_caller_s_mistake(supabase: RunningSupabase, out: str) -> None:
    assert run(supabase, "export", "BTC-USD", "--out", out, *SPAN).returncode == 2


class Door:
    """A door before the store: it notes which months are read, and lets nobody read the month of `shut`."""

    def __init__(self, store_url: str) -> None:
        self.read: list[str] = []
        self.shut = ""
        self.waiting = threading.Event()
        door, passed = self, httpx.Client(base_url=store_url)
        self._passed = passed

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._pass(b"")

            def do_POST(self) -> None:
                self._pass(self.rfile.read(int(self.headers["Content-Length"])))

            def _pass(self, body: bytes) -> None:
                if "get_candles" in self.path:
                    door.note(json.loads(body)["p_start"][:7])
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = passed.request(self.command, self.path, content=body, headers=headers)
                self.send_response(answer.status_code)
                for name in ("Content-Type", "Content-Range"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._opened = threading.Event()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def note(self, month: str) -> None:
        self.read.append(month)
        if month == self.shut:
            self.waiting.set()
            self._opened.wait(60)

    def open(self) -> None:
        """Let everybody through."""
        self.shut, self.read = "", []
        self._opened.set()

    def close(self) -> None:
        self._opened.set()
        self._server.shutdown()
        self._server.server_close()
        self._passed.close()


@pytest.fixture
def door(supabase: RunningSupabase) -> Iterator[Door]:
    """Before a store with five minutes in each month from May on."""
    store = SupabaseStore(supabase.url, supabase.service_key)
    for days in (90, 60, 30):
        start = at("10:00") - timedelta(days=days)
        store.ensure_partitions(Span(start, start + timedelta(days=1)))
        store.put_candles([candle(start + place * MINUTE) for place in range(5)])
    while store.roll_up():
        pass
    store.close()
    made = Door(supabase.url)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_export_that_is_killed_goes_on_where_it_was(
    supabase: RunningSupabase, door: Door, tmp_path: Path, suffix: str
) -> None:
    path, door.shut = tmp_path / f"candles{suffix}", "2026-08"
    words = ("export", "BTC-USD", "--out", str(path), "--from", "2026-05-01", "--to", "2026-08-10")
    environment = {
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "SUPABASE_URL": door.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
    }
    with subprocess.Popen([MARKETDATA, *words], env=environment, stderr=subprocess.DEVNULL) as killed:
        assert door.waiting.wait(60)
        os.kill(killed.pid, signal.SIGKILL)
    assert not path.exists()
    door.open()
    done = run(supabase, *words, "--json", SUPABASE_URL=door.url)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["rows"] == 70
    assert door.read == ["2026-08"]
    if suffix == ".parquet":
        assert parquet.read_table(path).num_rows == 70
    else:
        lines = path.read_text().splitlines()
        times = [line.split(",")[3] for line in lines[1:]]
        assert (len(times), times) == (70, sorted(times))
        assert lines[0].startswith("exchange,symbol,timeframe,open_time")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(supabase: RunningSupabase, door: Door, tmp_path: Path) -> None:
    path, door.shut = tmp_path / "candles.csv", "2026-08"
    words = ("export", "BTC-USD", "--out", str(path), "--from", "2026-05-01", "--to", "2026-08-10")
    environment = {
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "SUPABASE_URL": door.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
    }
    with subprocess.Popen([MARKETDATA, *words], env=environment, stderr=subprocess.PIPE, text=True) as stopped:
        assert door.waiting.wait(60)
        stopped.send_signal(signal.SIGINT)
        told = stopped.communicate(timeout=60)[1]
    assert stopped.returncode == 130, told
    assert f"--from 2026-05-01T00:00:00Z --to 2026-08-10T00:00:00Z --out {path}" in told


START = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2026, 8, 10, tzinfo=UTC)


def kept(folder: Path, end: datetime = END, now: datetime = END, start: datetime = START) -> KeptParts:
    return KeptParts(folder / "candles.csv", BTC, M1, Span(start, end), FakeClock(now).now())


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({}, 4),
        ({"end": END + timedelta(hours=1)}, 3),  # the last part was not a whole month
        ({"end": START + timedelta(days=40)}, 1),
        ({"start": START + timedelta(days=1)}, 0),
        ({"now": END + timedelta(days=2)}, 0),  # what was read then may have been repaired since
    ],
)
def test_parts_are_kept_for_who_asks_for_the_same(tmp_path: Path, asked: dict[str, datetime], parts: int) -> None:
    first = kept(tmp_path)
    assert first.begin("text") == ExportProgress("text")
    first.note(ExportProgress("text", (5, 5, 5, 5)))
    assert kept(tmp_path, **asked).begin("text").rows == (5,) * parts
