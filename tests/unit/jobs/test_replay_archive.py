"""Archive files in their folders, replayed: what a person with a downloaded day sees."""

from decimal import Decimal
from pathlib import Path

import pytest
from marketdata.errors import RequestInvalid
from marketdata.jobs.replay_archive import ReplayedArchive, replay_archive
from marketdata.model.quote import PriceSide
from marketdata.model.timeframe import timeframe_named

from tests.captures import FOLDER, needs_captures
from tests.unit.exchanges.archives import bi5, bi5_candles

BID = [PriceSide.BID]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    day = tmp_path / "EURUSD/2019/01/04"
    day.mkdir(parents=True)
    (day / "01h_ticks.bi5").write_bytes(bi5([(0, 114550, 114540, 1, 1), (61_000, 114560, 114550, 1, 1)]))
    (day / "00h_ticks.bi5").write_bytes(bi5([(1_000, 114545, 114543, 1, 1)]))
    (day / "BID_candles_min_1.bi5").write_bytes(bi5_candles([(0, 1, 1, 1, 1, 9.0), (7_200, 2, 2, 2, 2, 9.0)]))
    (day / "ASK_candles_min_1.bi5").write_bytes(bi5_candles([(0, 3, 3, 3, 3, 9.0)]))
    return tmp_path


def times(replayed: ReplayedArchive) -> list[str]:
    return [f"{one.open_time:%H:%M}" for one in replayed.candles]


def test_a_folder_gives_candles_of_its_ticks_and_of_its_candle_files_where_there_are_no_ticks(folder: Path) -> None:
    replayed = replay_archive([folder], timeframe=None, sides=BID)
    assert times(replayed) == ["00:00", "01:00", "01:01", "02:00"]
    assert [one.trades for one in replayed.candles] == [1, 1, 1, None]
    assert (replayed.files, replayed.ticks, replayed.quotes) == (4, 3, [])


def test_another_timeframe_is_made_of_ticks_alone(folder: Path) -> None:
    replayed = replay_archive([folder], timeframe=timeframe_named("1h"), sides=BID)
    assert [(one.trades, one.close) for one in replayed.candles] == [(1, Decimal("1.14543")), (2, Decimal("1.14550"))]


def test_each_price_is_a_symbol_of_its_own(folder: Path) -> None:
    replayed = replay_archive([folder], timeframe=None, sides=list(PriceSide))
    assert {one.symbol for one in replayed.candles} == {"EURUSD", "EURUSD:ask", "EURUSD:mid"}


def test_ticks_are_kept_in_order_of_time_when_asked_for(folder: Path) -> None:
    replayed = replay_archive([folder], timeframe=None, sides=BID, keep_quotes=True)
    assert [quote.bid for quote in replayed.quotes] == [Decimal("1.14543"), Decimal("1.14540"), Decimal("1.14550")]


def test_a_folder_without_files_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match=r"no \.bi5"):
        replay_archive([tmp_path], timeframe=None, sides=BID)
    with pytest.raises(RequestInvalid, match="cannot be read"):
        replay_archive([tmp_path / "EURUSD/2019/01/04/00h_ticks.bi5"], timeframe=None, sides=BID)


@needs_captures
def test_the_real_files_together_give_every_minute_once() -> None:
    replayed = replay_archive([FOLDER / "dukascopy/EURUSD/2019/01"], timeframe=None, sides=BID)
    assert (replayed.files, replayed.ticks, len(replayed.candles)) == (25, 136_741, 1_440)
