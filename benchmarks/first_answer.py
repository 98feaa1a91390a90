"""One function from the start of its process to its first answer, under Lambda's own runtime: CPU, time and memory.

CPU is what the kernel counted for the process when the answer had come; memory is the most that it held by then.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import bundle
from infra.needs import NEEDS
from tests.functions.runtime_api import RuntimeApi

PYTHON = bundle.LAMBDA_PYTHON if bundle.interpreter(bundle.LAMBDA_PYTHON) else f"3.{sys.version_info.minor}"
TARGET = bundle.Target(PYTHON, "x86_64")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Shipped:
    """What Lambda is given of one function: its folder and its layers, and what it is asked first."""

    name: str
    package: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What a start cost up to its first answer."""

    cpu_milliseconds: float
    wall_milliseconds: float
    resident_megabytes: float


def layers_of(function: str) -> tuple[Path, ...]:
    """The library, what it imports, and what this function needs beside."""
    names = ("vendor", *NEEDS[function].layers)
    return (bundle.library_layer(TARGET), *(bundle.packages_layer(name, TARGET) for name in names))


def interpreter() -> str:
    """The Python that runs it."""
    return bundle.interpreter(PYTHON) or sys.executable


def start(shipped: Shipped) -> FirstAnswer:
    """Start it once and ask. Raises: AssertionError with the answer if it is no good one."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with RuntimeApi(
            python=interpreter(),
            package=shipped.package,
            layers=shipped.layers,
            runtime=bundle.runtime_interface(TARGET),
            environment=shipped.environment,
            log=Path(folder) / "log",
        ) as running:
            answered = running.invoke(shipped.request)
            wall = (time.perf_counter() - started) * 1000
            assert running.process is not None
            cost = FirstAnswer(_cpu_milliseconds(running.process.pid), wall, _resident_megabytes(running.process.pid))
        log = (Path(folder) / "log").read_text()
    document = answered.document
    assert answered.kind == "response", f"{shipped.name}: {document}\n{log}"
    good = document.get("statusCode") in {200, 202} or document.get("status") == "success"
    assert good, f"{shipped.name}: {document}\n{log}"
    return cost


def _cpu_milliseconds(process: int) -> float:
    """User and system time of a process that lives, as Linux tells it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / _TICKS


def _resident_megabytes(process: int) -> float:
    """The most that it ever held, in millions of bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kibibytes) * 1024 / 1e6
