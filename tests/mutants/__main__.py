"""`make mutants`: plants each bug of the list in a copy of the repository and shows that a test notices it.

`make mutants ONLY="name name"` plants some of them. Exits 1 when one survives. A list that no longer fits the code is
noticed by tests/unit/test_mutants.py, which needs no copy and takes no time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIES = 2
SECONDS_MAX = 240
TESTS_FAILED = 1
SHARED = (".venv", "node_modules")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests made of one planted bug."""

    mutant: Mutant
    caught: bool
    detail: str
    seconds: float


def main(names: list[str]) -> int:
    """Plant the bugs of those names, or all of them; how many survived is told, and decides the exit code."""
    wanted = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    unknown = set(names) - {mutant.name for mutant in wanted}
    if unknown or not wanted:
        print(f"no such mutant: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    survived = 0
    with copies(min(COPIES, len(wanted))) as free, ThreadPoolExecutor(COPIES) as workers:
        for number, outcome in enumerate(workers.map(lambda mutant: tried(mutant, free), wanted), start=1):
            survived += not outcome.caught
            verdict = "caught  " if outcome.caught else "SURVIVED"
            line = (
                f"{number:3}/{len(wanted)} {verdict} {outcome.seconds:5.1f} s  {outcome.mutant.name}: {outcome.detail}"
            )
            print(line, flush=True)
    print(f"{len(wanted) - survived} of {len(wanted)} planted bugs caught")
    return 1 if survived else 0


@contextmanager
def copies(count: int) -> Iterator["SimpleQueue[Path]"]:
    """So many copies of the tracked files, each to plant one bug at a time in."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(count):
            copy = Path(folder) / str(number) / "repository"
            for file in files:
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, copy / file, follow_symlinks=False)
            for name in SHARED:
                (copy / name).symlink_to((ROOT / name).resolve())
            (copy.parent / "shared").symlink_to(ROOT.parent / "shared")
            free.put(copy)
        yield free


def tried(mutant: Mutant, free: "SimpleQueue[Path]") -> Outcome:
    """Plant, test, and heal the copy again."""
    copy, started = free.get(), time.monotonic()
    path = copy / mutant.file
    healthy = path.read_text()
    try:
        path.write_text(mutant.planted(healthy))
        caught, detail = noticed(mutant, copy)
    except ValueError as error:
        caught, detail = False, str(error)
    finally:
        path.write_text(healthy)
        free.put(copy)
    return Outcome(mutant, caught, detail, time.monotonic() - started)


def noticed(mutant: Mutant, copy: Path) -> tuple[bool, str]:
    """Whether a test failed, and which."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'layers/marketdata/python'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "quick",
    }
    command = [sys.executable, "-m", "pytest", "-x", "--tb=no", "-p", "no:cacheprovider", *mutant.tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"the tests did not end in {SECONDS_MAX} s"
    failed = [line.removeprefix("FAILED ") for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if done.returncode == TESTS_FAILED and failed:
        return True, failed[0].split(" - ")[0].rpartition("::")[2]
    return False, f"pytest ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
