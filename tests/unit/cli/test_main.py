"""The command line as a person or a script meets it: output, errors, exit codes."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from marketdata.errors import (
    MarketDataError,
    NotFound,
    RemoteUnavailable,
    RequestInvalid,
    SettingsInvalid,
    StoreError,
)

from cli.main import exit_code
from tests.captures import advanced_trade, needs_captures, pro_feed, write_capture

# Each starts the real command.
pytestmark = pytest.mark.slow

MARKETDATA = Path(sys.executable).with_name("marketdata")
COLUMNS = "exchange,symbol,timeframe,open_time,open,high,low,close,volume,quote_volume,trades,vwap,source"


def run(*arguments: str | Path, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [MARKETDATA, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=folder, env={"PATH": ""}
    )


def line(trade_id: int, time: str, price: str, size: str = "1", symbol: str = "BTC-USD") -> str:
    match = {
        "type": "match",
        "trade_id": trade_id,
        "side": "buy",
        "size": size,
        "price": price,
        "product_id": symbol,
        "time": f"2026-08-09T{time}Z",
    }
    return json.dumps({"received_at": None, "frame": json.dumps(match)})


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.ndjson"
    lines = [
        line(5, "12:00:30", "3.10", symbol="ETH-USD"),
        line(1, "12:00:30", "10.50", "0.00000001"),
        line(2, "12:01:00.5", "1E+3", "2.000"),
        line(3, "12:01:10", "7", "1"),
        line(4, "12:02:00", "8", "1"),
        json.dumps({"received_at": "2026-08-09T12:02:01Z", "frame": '{"type":"ticker"}'}),
        json.dumps({"received_at": "2026-08-09T12:02:01Z", "frame": "{broken"}),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_replay_prints_exact_candles_sorted_by_symbol_and_time(capture: Path) -> None:
    done = run("replay", "--exchange", "coinbase", capture)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        COLUMNS,
        "coinbase,BTC-USD,1m,2026-08-09T12:00:00Z,10.5,10.5,10.5,10.5,0.00000001,0.000000105,1,10.5,partial",
        "coinbase,BTC-USD,1m,2026-08-09T12:01:00Z,1000,1000,7,7,3,2007,2,669,proven",
        "coinbase,BTC-USD,1m,2026-08-09T12:02:00Z,8,8,8,8,1,8,1,8,partial",
        "coinbase,ETH-USD,1m,2026-08-09T12:00:00Z,3.1,3.1,3.1,3.1,1,3.1,1,3.1,partial",
    ]
    assert "7 frames: 5 trades (0 seen twice), 1 of other channels, 1 malformed -> 4 candles" in done.stderr
    assert "{broken" in done.stderr


def test_replay_prints_json_with_decimals_as_strings(capture: Path) -> None:
    done = run("replay", "--exchange", "coinbase", "--timeframe", "5m", "--format", "json", capture)
    rows = json.loads(done.stdout)
    assert [row["symbol"] for row in rows] == ["BTC-USD", "ETH-USD"]
    assert list(rows[0]) == COLUMNS.split(",")
    assert (rows[0]["timeframe"], rows[0]["volume"], rows[0]["trades"]) == ("5m", "4.00000001", 4)
    assert rows[0]["vwap"] == "503.749998766875003083"


@needs_captures
def test_several_real_files_are_replayed_in_order(tmp_path: Path) -> None:
    first = write_capture(pro_feed(), tmp_path / "a.ndjson.gz")
    second = write_capture(advanced_trade(), tmp_path / "b.ndjson")
    done = run("replay", "--exchange", "coinbase", first, second)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 15 + 6
    assert rows == sorted(rows, key=lambda row: (row["symbol"], row["open_time"]))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay", "--exchange", "mtgox", "x"], 2, "exchange: 'mtgox' is not one of coinbase"),
        (["replay", "--exchange", "coinbase", "--timeframe", "7h", "x"], 2, "timeframe: '7h' is not one of 1m, 5m"),
        (["replay", "--exchange", "coinbase", "absent.ndjson"], 2, "absent.ndjson"),
        (["replay", "--exchange", "coinbase"], 2, "Missing argument"),
        (["replay", "--exchange", "binance", "/dev/null"], 2, "/dev/null: recordings of binance are read twice"),
        (["record", "x.ndjson", "-s", "BTC-USD", "--feed", "level9"], 2, "coinbase has no feed 'level9'"),
        (["up", "--config", "absent.yaml"], 2, "absent.yaml: cannot be read"),
        (["instruments", "list"], 5, "SUPABASE_URL"),
        (["coverage"], 5, "SUPABASE_URL"),
        (["gaps", "list"], 5, "SUPABASE_URL"),
        (["gaps", "scan"], 5, "SUPABASE_URL"),
        (["gaps", "list", "--state", "lost"], 2, "state: 'lost' is not one of open, leased"),
        (["coverage", "--timeframe", "7h"], 2, "timeframe: '7h' is not one of 1m, 5m"),
        (["coverage", "--days", "367"], 2, "--days"),
        (["instruments", "add", "mtgox", "BTC-USD"], 2, "exchange: 'mtgox'"),
        (["db", "migrate"], 2, "--url: name the database"),
        (["db", "migrate", "--url", "postgresql://127.0.0.1:1/x"], 1, "127.0.0.1"),
    ],
)
def test_a_mistake_gets_one_line_and_its_exit_code(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_exchange_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    done = run("record", "x.ndjson", "-s", "BTC-USD", "--url", "ws://127.0.0.1:1", "--seconds", "0.3", folder=tmp_path)
    assert done.returncode == 4
    assert "cannot reach ws://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    "command", [[], ["up"], ["record"], ["replay"], ["instruments"], ["coverage"], ["gaps"], ["db", "migrate"]]
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Usage: marketdata" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RequestInvalid("symbol", "wrong"), 2),
        (NotFound("symbol", "unknown"), 2),
        (RemoteUnavailable("coinbase", "down"), 4),
        (SettingsInvalid({"SUPABASE_URL": "is required"}), 5),
        (StoreError("read", "down"), 6),
        (MarketDataError("else"), 1),
    ],
)
def test_exit_codes_say_whose_move_it_is(error: MarketDataError, code: int) -> None:
    assert exit_code(error) == code
