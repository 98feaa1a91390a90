"""Exports from order to file: exact, with what is missing inside; once, whatever breaks on the way."""

import csv
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import NotFound, RequestInvalid, StoreError, Throttled, TooLarge
from marketdata.jobs.export import KEPT_FOR, export, file_name, find_export, order_export
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.walk_candles import completeness_of, walk_months
from marketdata.jobs.write_candles import CSV
from marketdata.model.candle import Candle
from marketdata.model.export import Export, ExportState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.serve.exports_json import export_body
from marketdata.serve.params import CandleQuery
from marketdata.store.file_shelf import FolderShelf
from marketdata.store.memory import MemoryStore
from pyarrow import parquet

from tests.market import BTC, MINUTE, a_store, at, candle, minutes

NOW = at("12:00")
HOUR = CandleQuery("BTC-USD", start=at("10:00"), end=at("11:00"))


@pytest.fixture
def store() -> MemoryStore:
    """Minutes from ten to eleven, but for five."""
    store = a_store()
    store.put_candles(minutes("10:00", "10:20") + minutes("10:25", "11:00"))
    while store.roll_up():
        pass
    store.record_gaps(BTC, M1, [Span(at("10:20"), at("10:23"))], cause="scan", found_at=NOW)
    return store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    return FolderShelf(tmp_path / "exports")


def order(store: MemoryStore, query: CandleQuery = HOUR, key: str | None = None, caller: str = "ann") -> Export:
    return order_export(store, KnownInstruments(store, FakeClock(NOW)), NOW, query, caller=caller, key=key)


def run(store: MemoryStore, clock: FakeClock, shelf: Any, seconds: float = 60) -> dict[str, object]:
    return export(store, clock, clock.now() + timedelta(seconds=seconds), shelf=shelf)


def state(store: MemoryStore, ordered: Export) -> tuple[ExportState, str]:
    found = store.find_export(ordered.id)
    assert found is not None
    return found.state, found.error


def test_a_file_has_every_candle_exactly_and_says_what_is_missing(
    store: MemoryStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered = order(store)
    assert run(store, clock, shelf) == {"done": 1, "failed": 0, "unfinished": 0, "rows": 55, "expired": 0}
    path = tmp_path / "exports" / file_name(ordered)
    rows = parquet.read_table(path).to_pylist()
    held = store.candles(BTC, M1, start=at("10:00"), end=at("11:00"), limit=100)
    assert [tuple(row[name] for name in ("open_time", "close", "volume", "trades")) for row in rows] == [
        (one.open_time, one.close, one.volume, one.trades) for one in held
    ]
    told = {name.decode(): value.decode() for name, value in parquet.ParquetFile(path).metadata.metadata.items()}
    assert told["marketdata.condition"] == "missing"
    assert told["marketdata.coverage"] == "0.916666"
    assert told["marketdata.numbers"] == "decimal128(38, 18)"
    assert [(gap["start"], gap["state"]) for gap in json.loads(told["marketdata.gaps"])] == [
        ("2026-08-09T10:20:00Z", "open"),
        ("2026-08-09T10:23:00Z", "missing"),
    ]
    found = store.find_export(ordered.id)
    assert found is not None
    assert (found.result["rows"], found.result["gaps_total"], found.result["bytes"]) == (55, 2, path.stat().st_size)


def test_numbers_that_no_decimal_of_the_file_holds_are_text_to_the_last_digit(
    store: MemoryStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    tiny = Decimal("0.1234567890123456789012345")
    store.put_candles([replace(candle(at("10:22")), volume=tiny)])
    ordered = order(store)
    run(store, clock, shelf)
    path = tmp_path / "exports" / file_name(ordered)
    assert parquet.ParquetFile(path).metadata.metadata[b"marketdata.numbers"] == b"text"
    rows = {row["open_time"]: row for row in parquet.read_table(path).to_pylist()}
    assert rows[at("10:22")]["volume"] == str(tiny)
    assert rows[at("10:00")]["open"] == "100.50"


def test_a_month_is_a_row_group(store: MemoryStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path) -> None:
    store.put_candles([candle(at("10:00") - timedelta(days=40)), candle(at("10:00") - timedelta(days=9))])
    ordered = order(store, replace(HOUR, start=at("10:00") - timedelta(days=60)))
    run(store, clock, shelf)
    written = parquet.ParquetFile(tmp_path / "exports" / file_name(ordered))
    assert [written.metadata.row_group(number).num_rows for number in range(written.num_row_groups)] == [1, 1, 55]


@pytest.mark.slow
def test_more_than_a_page_of_the_store_is_read_to_its_end(store: MemoryStore) -> None:
    start = at("10:00") + timedelta(days=30)
    many = [candle(start + place * MINUTE) for place in range(20_001)]
    store.put_candles(many)
    span, read = Span(start, start + 20_001 * MINUTE), list[int]()
    months = list(walk_months(store, BTC, M1, span, read=read.append))
    found: list[Candle] = [one for month in months for one in month]
    assert [one.open_time for one in found] == [one.open_time for one in many]
    assert sum(read) == 20_001


def test_a_csv_has_the_same_to_the_last_digit(store: MemoryStore, tmp_path: Path) -> None:
    span, path, part = Span(at("10:00"), at("11:00")), tmp_path / "candles.csv", tmp_path / "part"
    rows = CSV.write_part(part, walk_months(store, BTC, M1, span, read=lambda _: None), CSV.numbers)
    CSV.join(path, [part], CSV.numbers, completeness_of(store, BTC, M1, span, NOW))
    with path.open() as file:
        read = list(csv.DictReader(file))
    assert (rows, len(read)) == (55, 55)
    assert (read[0]["open_time"], read[0]["close"], read[0]["volume"]) == ("2026-08-09T10:00:00Z", "100.50", "0.10")


def test_an_order_under_a_key_is_one_export_and_without_a_key_each_is_its_own(store: MemoryStore) -> None:
    assert order(store, key="k").id == order(store, key="k").id
    assert order(store, key="k", caller="bob").id != order(store, key="k").id
    assert order(store).id != order(store).id


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (replace(HOUR, start=None), RequestInvalid),
        (replace(HOUR, start=NOW), RequestInvalid),
        (replace(HOUR, symbol="XXX-YYY"), NotFound),
        (replace(HOUR, start=NOW - timedelta(days=5_000)), TooLarge),
    ],
)
def test_what_cannot_be_exported_is_refused_when_it_is_ordered(
    store: MemoryStore, query: CandleQuery, error: type[Exception]
) -> None:
    with pytest.raises(error):
        order(store, query)


def test_too_many_orders_of_one_caller_wait(store: MemoryStore) -> None:
    for _ in range(10):
        order(store)
    with pytest.raises(Throttled):
        order(store)
    assert order(store, caller="bob").state is ExportState.QUEUED


class BreakingShelf(FolderShelf):
    """A shelf that breaks before or after it took a file, some times."""

    def __init__(self, folder: Path, breaks: list[str]) -> None:
        super().__init__(folder)
        self._breaks = breaks

    def put(self, name: str, path: Path) -> None:
        """See FileShelf."""
        when = self._breaks.pop(0) if self._breaks else ""
        if when != "before":
            super().put(name, path)
        if when:
            raise StoreError("put_file", f"broke {when}")


@pytest.mark.parametrize("breaks", [["before"], ["after"], ["before", "after"]])
def test_what_breaks_off_is_written_again_and_is_one_file(
    store: MemoryStore, clock: FakeClock, tmp_path: Path, breaks: list[str]
) -> None:
    ordered, shelf = order(store), BreakingShelf(tmp_path / "exports", list(breaks))
    for _ in breaks:
        assert run(store, clock, shelf)["failed"] == 1
        assert state(store, ordered)[0] is ExportState.QUEUED
    assert run(store, clock, shelf)["done"] == 1
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [file_name(ordered)]


def test_what_breaks_off_three_times_has_failed_and_says_why(
    store: MemoryStore, clock: FakeClock, tmp_path: Path
) -> None:
    ordered, shelf = order(store), BreakingShelf(tmp_path / "exports", ["before"] * 9)
    for _ in range(5):
        run(store, clock, shelf)
    assert state(store, ordered) == (ExportState.FAILED, "put_file: broke before")


def test_a_worker_that_dies_is_followed_by_another(store: MemoryStore, clock: FakeClock, shelf: FolderShelf) -> None:
    ordered = order(store)
    store.claim_export("dead", now=NOW, lease_seconds=60)
    assert run(store, clock, shelf)["done"] == 0
    clock.advance(timedelta(seconds=60))
    assert run(store, clock, shelf)["done"] == 1
    assert state(store, ordered)[0] is ExportState.DONE


class SlowClock(FakeClock):
    """Each look at it takes a second."""

    def now(self) -> Any:
        """The time, a second later each time."""
        self.advance(timedelta(seconds=1))
        return super().now()


def test_one_whose_first_part_takes_longer_than_a_run_has_is_given_up(store: MemoryStore, shelf: FolderShelf) -> None:
    ordered, clock = order(store), SlowClock(NOW)
    assert [run(store, clock, shelf, seconds=4)["unfinished"] for _ in range(2)] == [1, 1]
    assert state(store, ordered)[0] is ExportState.QUEUED
    assert run(store, clock, shelf, seconds=4)["failed"] == 1
    assert state(store, ordered) == (ExportState.FAILED, "a part is more than one run writes in its time")


# What is interrupted goes on where it was

QUARTER = replace(HOUR, start=at("10:00") - timedelta(days=100))
"""May to August: four parts, with a candle or more in each."""


class Killed(BaseException):
    """What no handler catches: the worker is no more."""


class ReadStore(MemoryStore):
    """A store that remembers which time candles were read of, and in which reading the worker is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.put_instruments([BTC])
        self.read: list[str] = []
        self.kills_at: str | None = None
        self.fails_at: str | None = None

    def candles(self, *arguments: Any, **options: Any) -> list[Candle]:
        """See Store."""
        month = f"{options['start']:%Y-%m}"
        if month == self.kills_at:
            raise Killed
        if month == self.fails_at:
            raise StoreError("candles", "no answer")
        self.read.append(month)
        return super().candles(*arguments, **options)


@pytest.fixture
def months() -> ReadStore:
    """A hundred days of which a few minutes are held."""
    store = ReadStore()
    for days in (90, 60, 30):
        store.put_candles([candle(at("10:00") - timedelta(days=days) + place * MINUTE) for place in range(5)])
    store.put_candles(minutes("10:00", "10:20"))
    while store.roll_up():
        pass
    return store


def written(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "exports").iterdir())


def table(tmp_path: Path, ordered: Export) -> Any:
    return parquet.read_table(tmp_path / "exports" / file_name(ordered))


def test_a_worker_that_is_killed_is_followed_by_one_who_goes_on_where_it_was(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered = order(months, QUARTER)
    months.kills_at = "2026-07"
    with pytest.raises(Killed):
        run(months, clock, shelf)
    found = months.find_export(ordered.id)
    assert found is not None
    told = json.loads(export_body(found, None))
    assert (told["state"], told["progress"]["rows"], told["progress"]["until"]) == (
        "running",
        10,
        "2026-07-01T00:00:00Z",
    )
    assert 0.6 < told["progress"]["share"] < 0.7
    months.kills_at = None
    clock.advance(timedelta(seconds=90))
    assert run(months, clock, shelf)["done"] == 1
    assert months.read == ["2026-05", "2026-06", "2026-07", "2026-08"]
    assert table(tmp_path, ordered).num_rows == 35
    assert written(tmp_path) == [file_name(ordered)]


def test_however_often_it_is_killed_and_where_the_file_is_the_same(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    whole, killed = order(months, QUARTER), order(months, QUARTER, caller="bob")
    assert run(months, clock, shelf)["done"] == 2
    again = order(months, QUARTER, caller="cat")
    for month in ("2026-05", "2026-06", "2026-06", "2026-07", "2026-08", "2026-08"):
        months.kills_at = month
        with pytest.raises(Killed):
            run(months, clock, shelf)
        clock.advance(timedelta(seconds=90))
    months.kills_at = None
    assert run(months, clock, shelf)["done"] == 1
    assert table(tmp_path, again).equals(table(tmp_path, whole))
    assert table(tmp_path, again).equals(table(tmp_path, killed))


def test_a_run_whose_time_is_over_leaves_the_rest_to_the_next(
    months: ReadStore, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered, clock = order(months, QUARTER), SlowClock(NOW)
    runs = [
        run(months, clock, shelf, seconds=7) for _ in range(12) if state(months, ordered)[0] is not ExportState.DONE
    ]
    assert len(runs) > 2
    assert {one["unfinished"] for one in runs[:-1]} == {1}
    assert runs[-1]["done"] == 1
    assert len(months.read) - len(runs) < 4, "a part is read again where the time was over in it, and no other"
    assert table(tmp_path, ordered).num_rows == 35


def test_a_store_that_does_not_answer_costs_no_part_that_is_written(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf
) -> None:
    ordered, months.fails_at = order(months, QUARTER), "2026-08"
    for _ in range(3):
        assert run(months, clock, shelf)["failed"] == 1
    assert months.read == ["2026-05", "2026-06", "2026-07"]
    months.fails_at = None
    assert run(months, clock, shelf)["done"] == 1
    assert state(months, ordered)[0] is ExportState.DONE


def test_one_that_never_gets_on_is_given_up_and_its_parts_are_let_go(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered, months.fails_at = order(months, QUARTER), "2026-08"
    for _ in range(6):
        run(months, clock, shelf)
    assert state(months, ordered) == (ExportState.FAILED, "candles: no answer")
    assert written(tmp_path) == []


def test_parts_that_are_gone_are_written_again(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered, months.fails_at = order(months, QUARTER), "2026-08"
    run(months, clock, shelf)
    (tmp_path / "exports" / written(tmp_path)[0]).unlink()
    months.fails_at = None
    assert run(months, clock, shelf)["done"] == 1
    assert table(tmp_path, ordered).num_rows == 35


def test_who_lost_the_lease_writes_no_more_and_takes_nothing_away(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered = order(months, QUARTER)

    class Overtaken(FolderShelf):
        def put(self, name: str, path: Path) -> None:
            if "0003" in name:
                clock.advance(timedelta(seconds=90))
                assert run(months, clock, shelf)["done"] == 1
            super().put(name, path)

    assert run(months, clock, Overtaken(tmp_path / "exports"))["unfinished"] == 1
    assert state(months, ordered)[0] is ExportState.DONE
    assert table(tmp_path, ordered).num_rows == 35


def test_digits_that_do_not_fit_make_all_parts_text(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    months.put_candles([replace(candle(at("10:22")), volume=Decimal("0.1234567890123456789012345"))])
    ordered = order(months, QUARTER)
    assert run(months, clock, shelf)["done"] == 1
    read = table(tmp_path, ordered)
    assert (read.num_rows, read["open"][0].as_py()) == (36, "100.50")
    found = months.find_export(ordered.id)
    assert found is not None
    assert found.result["numbers"] == "text"


def test_parts_of_an_export_whose_time_is_over_are_let_go(
    months: ReadStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    order(months, QUARTER)
    months.kills_at = "2026-07"
    with pytest.raises(Killed):
        run(months, clock, shelf)
    assert len(written(tmp_path)) == 2
    clock.advance(KEPT_FOR)
    assert run(months, clock, shelf)["expired"] == 1
    assert written(tmp_path) == []


def test_after_its_time_an_export_and_its_file_are_gone(
    store: MemoryStore, clock: FakeClock, shelf: FolderShelf, tmp_path: Path
) -> None:
    ordered = order(store)
    run(store, clock, shelf)
    clock.advance(KEPT_FOR)
    with pytest.raises(NotFound):
        find_export(store, ordered.id, clock.now())
    assert run(store, clock, shelf)["expired"] == 1
    assert list((tmp_path / "exports").iterdir()) == []
    assert store.find_export(ordered.id) is None
