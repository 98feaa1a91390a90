"""What is shipped, made without Docker: layers, functions and the feed's image as folders under build/.

A folder is named by what it is made of, so that an unchanged lock is never bundled twice and the same checkout always
ships the same bytes. Called by the stacks, by the tests that run what is shipped, and by the benchmark of its size.

Bytecode is checked by nothing at import (`unchecked-hash`): the construction kit zips every file with a time of 1980,
so bytecode that is checked by time would be stale on Lambda, and a cold start three times as slow.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RECIPE = "3"
"""Raised when the way of bundling changes: what is made of the same files is then made anew."""

LAMBDA_PYTHON = "3.13"
BUNDLE_SECONDS_MAX = 300
_LIBRARY = ROOT / "layers/marketdata/python/marketdata"
_JUNK = shutil.ignore_patterns("__pycache__", "*.pyc", "event.json")


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that runs it: which Python, on which processor (`aarch64` or `x86_64`)."""

    python: str = LAMBDA_PYTHON
    processor: str = "aarch64"


DEPLOYED = Target()


def packages_layer(name: str, target: Target = DEPLOYED) -> Path:
    """The layer of layers/<name>/requirements.txt: a folder with `python/`, as Lambda unpacks it into /opt."""
    return locked_layer(name, ROOT / "layers" / name / "requirements.txt", target)


def locked_layer(name: str, lock: Path, target: Target) -> Path:
    """The same of any lock."""
    key = _key([lock], target)
    return _made(f"layer-{name}-{key}", lambda folder: _install(lock, folder / "python", target, "/opt/python"))


def runtime_interface(target: Target) -> Path:
    """Lambda's own runtime interface (requirements/runtime.txt), for who runs what is shipped as Lambda would."""
    lock = ROOT / "requirements/runtime.txt"
    return _made(f"runtime-{_key([lock], target)}", lambda folder: _install(lock, folder, target, "/var/runtime"))


def library_layer(target: Target = DEPLOYED) -> Path:
    """The library, as a layer."""
    key = _key(_sources(_LIBRARY), target)

    def make(folder: Path) -> None:
        shutil.copytree(_LIBRARY, folder / "python/marketdata", ignore=_JUNK)
        _compile(folder / "python", target, "/opt/python")

    return _made(f"layer-marketdata-{key}", make)


def function_package(name: str, target: Target = DEPLOYED) -> Path:
    """The folder of one function, with its handler.py at the top."""
    return handler_package(ROOT / "functions" / name, target)


def handler_package(source: Path, target: Target) -> Path:
    """The same of any folder."""
    key = _key(_sources(source), target)

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, ignore=_JUNK, dirs_exist_ok=True)
        _compile(folder, target, "/var/task")

    return _made(f"function-{source.name}-{key}", make)


def feed_context() -> Path:
    """What the feed's image is built from: its Dockerfile, lock and modules, and nothing else of the checkout."""
    files = [ROOT / "feed/Dockerfile", ROOT / "feed/install.sh", ROOT / "feed/requirements.txt"]
    key = _key([*files, *_sources(ROOT / "feed"), *_sources(_LIBRARY)], DEPLOYED)

    def make(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        shutil.copytree(
            ROOT / "feed",
            folder / "app/feed",
            ignore=shutil.ignore_patterns("__pycache__", "Dockerfile", "*.sh", "*.txt"),
        )
        shutil.copytree(_LIBRARY, folder / "app/marketdata", ignore=_JUNK)

    return _made(f"feed-{key}", make)


def content_key(folder: Path) -> str:
    """What names the folder: its content and its recipe."""
    return folder.name.rpartition("-")[2]


@lru_cache
def interpreter(python: str) -> str | None:
    """A Python of that version on this machine, or None: only it can write bytecode that it will read."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if here == python:
        return sys.executable
    question = [f"python{python}", "-c", "import sys; print(sys.executable)"]
    try:
        # pyenv's own stand-ins answer only to who names a version.
        answer = subprocess.run(
            question,
            env={**os.environ, "PYENV_VERSION": python},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made whole or not at all."""
    finished = BUILD / name
    if finished.is_dir():
        return finished
    BUILD.mkdir(exist_ok=True)
    unfinished = BUILD / f".{name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    make(unfinished)
    try:
        unfinished.rename(finished)
    except OSError:
        if not finished.is_dir():
            raise
        shutil.rmtree(unfinished)  # another process made the same
    return finished


def _install(lock: Path, target_folder: Path, target: Target, imported_from: str) -> None:
    """Install a lock for another machine: wheels only, as nothing can be compiled here for there."""
    command = [_uv(), "pip", "install", "--quiet", "--target", str(target_folder), "--requirement", str(lock)]
    command += [
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-installer-metadata",
        "--link-mode",
        "copy",
    ]
    command += ["--python-version", target.python, "--python-platform", f"{target.processor}-manylinux_2_28"]
    subprocess.run(command, check=True, timeout=BUNDLE_SECONDS_MAX)
    shutil.rmtree(target_folder / "bin", ignore_errors=True)  # console scripts name the machine that made them
    (target_folder / ".lock").unlink(missing_ok=True)
    _compile(target_folder, target, imported_from)


def _compile(folder: Path, target: Target, imported_from: str) -> None:
    """Write bytecode beside the sources, or say what it costs that there is no such Python here."""
    python = interpreter(target.python)
    if python is None:
        sys.stderr.write(
            f"no Python {target.python} here: shipping without bytecode, so cold starts take three times as long\n"
        )
        return
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", imported_from, str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, timeout=BUNDLE_SECONDS_MAX, env=environment)


def _uv() -> str:
    folders = [Path(sys.executable).parent, ROOT / ".venv/bin"]  # the benchmarks' environment has none of its own
    found = shutil.which("uv", path=os.pathsep.join(map(str, folders))) or shutil.which("uv")
    if found is None:
        raise FileNotFoundError("uv is needed to bundle the layers; `make synth` installs it")
    return found


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _key(files: Iterable[Path], target: Target) -> str:
    """Twenty hexadecimal digits of all that decides what the folder will hold."""
    compiled = interpreter(target.python) is not None
    digest = hashlib.sha256(f"{RECIPE} {target.python} {target.processor} {compiled}".encode())
    for file in files:
        digest.update(f"\0{file.relative_to(ROOT)}\0{file.stat().st_mode & 0o111}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:20]
