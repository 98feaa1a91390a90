"""Fetching one file: finite, whole in its errors, and believing emptiness only with a witness."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import (
    RemoteBlocked,
    RemoteError,
    RemoteMalformed,
    RemoteThrottled,
    RemoteUnavailable,
    RequestInvalid,
)
from marketdata.exchanges.dukascopy_classic import DukascopyClassic
from marketdata.exchanges.exchange import Request
from marketdata.model.span import Span

from local.imports.fetch import Fetcher, Patience, ask_archive
from local.imports.library import MANIFEST, FileState, Library
from tests.unit.exchanges.archives import bi5

NOW = datetime(2026, 11, 21, tzinfo=UTC)
START = datetime(2024, 1, 30, 13, tzinfo=UTC)
(FILE,) = DukascopyClassic().tick_files("EURUSD", Span(START, START + timedelta(hours=1)))
DATA = bi5([(1, 114545, 114543, 1.0, 1.0)])
Answer = bytes | RemoteError


class Rig:
    """A fetcher between scripted answers and a library; the last answer is given for ever."""

    def __init__(self, folder: Path, *answers: Answer, tries_max: int = 6) -> None:
        self.slept: list[float] = []
        self.library = Library(folder)
        self._answers = list(answers)
        self.fetcher = Fetcher(
            ask_archive(self._get, DukascopyClassic()),
            self.library,
            FakeClock(NOW),
            closed=(),
            sleep=self.slept.append,
            patience=Patience(tries_max=tries_max),
        )

    def _get(self, request: Request) -> bytes:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, RemoteError):
            raise answer
        return answer


def test_a_file_is_kept_with_its_checksum_and_not_asked_for_again(tmp_path: Path) -> None:
    made = Rig(tmp_path, DATA)
    entry = made.fetcher.fetch(FILE)
    assert (entry.state, entry.bytes, len(entry.sha256)) == (FileState.DATA, len(DATA), 64)
    assert Rig(tmp_path, RemoteUnavailable("dukascopy", "down")).fetcher.fetch(FILE) == entry
    assert Library(tmp_path).body(FILE.place) == DATA


def test_an_empty_answer_is_asked_for_again_and_believed_the_second_time(tmp_path: Path) -> None:
    assert Rig(tmp_path / "lied", b"", DATA).fetcher.fetch(FILE).state is FileState.DATA
    made = Rig(tmp_path / "true", b"", b"")
    assert made.fetcher.fetch(FILE).state is FileState.EMPTY
    assert made.fetcher.requests == 2


@pytest.mark.parametrize(
    "trouble",
    [RemoteUnavailable("dukascopy", "HTTP 503"), RemoteMalformed("dukascopy", "HTTP 400", "go away"), b"<html>"],
)
def test_trouble_is_met_a_finite_number_of_times_and_told_whole(trouble: Answer, tmp_path: Path) -> None:
    made = Rig(tmp_path, trouble, tries_max=4)
    entry = made.fetcher.fetch(FILE)
    assert (entry.state, made.fetcher.requests, len(made.slept)) == (FileState.ABSENT, 4, 3)
    assert entry.reason.startswith("4 x ")
    # The next import asks again.
    assert Rig(tmp_path, DATA).fetcher.fetch(FILE).state is FileState.DATA


def test_an_archive_that_shuts_us_out_is_left_alone_and_what_was_fetched_stays(tmp_path: Path) -> None:
    Rig(tmp_path, DATA).fetcher.fetch(FILE)
    shut = RemoteBlocked("dukascopy", "HTTP 403")
    made = Rig(tmp_path, shut, tries_max=3)
    with pytest.raises(RemoteBlocked):
        made.fetcher.fetch(FILE, again=True)
    assert made.fetcher.requests == 3
    assert Rig(tmp_path, shut).fetcher.fetch(FILE).state is FileState.DATA
    # Shut out once and let in again is nothing.
    again = Rig(tmp_path / "again", shut, DATA, tries_max=3)
    assert again.fetcher.fetch(FILE).state is FileState.DATA


def test_the_cause_of_an_error_is_told_too(tmp_path: Path) -> None:
    def raising() -> RemoteUnavailable:
        error = RemoteUnavailable("dukascopy", "ConnectError")
        error.__cause__ = OSError("name not known")
        return error

    reason = Rig(tmp_path, raising(), tries_max=2).fetcher.fetch(FILE).reason
    assert reason == "2 x ConnectError <- OSError: name not known"


def test_an_exchange_that_asks_to_wait_is_waited_for_if_it_is_not_long(tmp_path: Path) -> None:
    soon = RemoteThrottled("dukascopy", "HTTP 429", NOW + timedelta(seconds=7))
    made = Rig(tmp_path / "soon", soon, DATA)
    assert made.fetcher.fetch(FILE).state is FileState.DATA
    assert made.slept[0] == 7
    late = RemoteThrottled("dukascopy", "HTTP 429", NOW + timedelta(hours=1))
    with pytest.raises(RemoteThrottled):
        Rig(tmp_path / "late", late).fetcher.fetch(FILE)


def test_a_damaged_or_missing_copy_is_fetched_again(tmp_path: Path) -> None:
    Rig(tmp_path, DATA).fetcher.fetch(FILE)
    harms: list[Callable[[Path], object]] = [lambda path: path.write_bytes(b"x"), Path.unlink]
    for harm in harms:
        harm(tmp_path / FILE.place)
        made = Rig(tmp_path, DATA)
        assert made.fetcher.fetch(FILE).state is FileState.DATA
        assert made.fetcher.requests == 1


def test_a_line_that_a_crash_left_half_is_forgotten(tmp_path: Path) -> None:
    Rig(tmp_path, DATA).fetcher.fetch(FILE)
    manifest = tmp_path / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b'{"place":"EURUSD/2024')
    library = Library(tmp_path)
    assert library.entry(FILE.place) is not None
    assert manifest.read_bytes().endswith(b"\n")
    manifest.write_bytes(b'{"place":"half')
    assert Library(tmp_path).entry(FILE.place) is None


def test_a_manifest_that_is_none_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{}\n")
    with pytest.raises(RequestInvalid, match="line 1"):
        Library(tmp_path)


def test_a_file_that_changed_says_since_when(tmp_path: Path) -> None:
    Rig(tmp_path, DATA).fetcher.fetch(FILE)
    other = bi5([(1, 114546, 114543, 1.0, 1.0)])
    assert Rig(tmp_path, DATA).fetcher.fetch(FILE, again=True).revised_at is None
    assert Rig(tmp_path, other).fetcher.fetch(FILE, again=True).revised_at == NOW
    assert Rig(tmp_path, other).fetcher.fetch(FILE, again=True).revised_at == NOW
