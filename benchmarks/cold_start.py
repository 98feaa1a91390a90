"""The cold start of the api function as it is shipped, under Lambda's own runtime: CPU from start to first answer.

The package and its layers go through infra/bundle.py, bytecode and all, and run under awslambdaric in front of a
stand-in of Lambda's Runtime API, with the local Supabase as its store. CPU is what the kernel counted for the process
when the answer arrived; each round is a new process. Beside it runs a bare program that imports the same libraries and
makes the same resolver and client: what no function of ours can be below. Then the package is imported under
`-X importtime`, and what each library took by itself is added up.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from marketdata.model.instrument import Instrument
from marketdata.store.supabase import SupabaseStore

from benchmarks.result import Result, Table
from infra import bundle
from infra.needs import NEEDS
from local.supabase import LocalSupabase
from local.supabase_binaries import BinariesMissing
from local.supabase_gateway import SupabaseGateway
from tests.functions.calls import event
from tests.functions.runtime_api import RuntimeApi

ROUNDS = 13
SHOWN = 14
FUNCTION = "api"
_PYTHON = bundle.LAMBDA_PYTHON if bundle.interpreter(bundle.LAMBDA_PYTHON) else f"3.{sys.version_info.minor}"
_TARGET = bundle.Target(_PYTHON, "x86_64")
_BARE = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
import pydantic
APIGatewayHttpResolver(enable_validation=True)
from postgrest import SyncPostgrestClient
SyncPostgrestClient("http://127.0.0.1:9")
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""
_LINE = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)")
_TICKS = os.sysconf("SC_CLK_TCK")

REQUESTS: Mapping[str, dict[str, Any]] = {
    "health: no question to the store": event("GET", "/v1/health/live"),
    "candles: instruments and a page, from the store": event("GET", "/v1/candles", {"symbol": "BTC-USD"}),
}


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres."""
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            LocalSupabase(Path(folder) / "db", fsync=False) as supabase,
            SupabaseGateway(supabase.rest_url, supabase.keys) as gateway,
        ):
            store = SupabaseStore(gateway.url, supabase.keys.service)
            store.put_instruments([Instrument("coinbase", "BTC-USD", "BTC", "USD")])
            store.close()
            environment = {"SUPABASE_URL": gateway.url, "SUPABASE_SERVICE_ROLE_KEY": supabase.keys.service}
            rows = [_row(name, request, environment, announce) for name, request in REQUESTS.items()]
            announce("the same libraries alone")
            rows.append(_bare_row())
            announce("importing, library by library")
            imports = _imports(environment)
    except BinariesMissing as missing:
        return Result("cold_start", (), (f"not measured: {missing}",))
    columns = ("first request", "CPU ms, least", "CPU ms, median", "wall ms, least", "wall ms, median")
    notes = (
        f"Python {_PYTHON} on x86_64, awslambdaric 4.2.2, bytecode unchecked-hash, {ROUNDS} new processes each.",
        "Imports are of one process under -X importtime, which makes each slower than it is.",
    )
    tables = (
        Table("From start to first answer", columns, tuple(rows)),
        Table("Imports by library, by themselves", ("library", "ms", "modules"), tuple(imports)),
    )
    return Result("cold_start", tables, notes)


def _folders() -> tuple[Path, list[Path], Path]:
    layers = [bundle.library_layer(_TARGET), bundle.packages_layer("vendor", _TARGET)]
    layers += [bundle.packages_layer(name, _TARGET) for name in NEEDS[FUNCTION].layers]
    return bundle.function_package(FUNCTION, _TARGET), layers, bundle.runtime_interface(_TARGET)


def _python() -> str:
    found = bundle.interpreter(_PYTHON)
    return str(found) if found else sys.executable


def _row(
    name: str, request: dict[str, Any], environment: Mapping[str, str], announce: Callable[[str], None]
) -> tuple[str, ...]:
    announce(name)
    package, layers, runtime = _folders()
    cpu, wall = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            api = RuntimeApi(
                python=_python(),
                package=package,
                layers=layers,
                runtime=runtime,
                environment=environment,
                log=Path(folder) / "log",
            )
            started = time.perf_counter()
            with api as running:
                answered = running.invoke(request)
                wall.append((time.perf_counter() - started) * 1000)
                assert running.process is not None
                cpu.append(_cpu_milliseconds(running.process.pid))
            assert answered.kind == "response", answered
            assert answered.document["statusCode"] == 200, answered
    return (name, *(f"{value:.0f}" for one in (cpu, wall) for value in (min(one), statistics.median(one))))


def _bare_row() -> tuple[str, ...]:
    told = {"PYTHONPATH": str(_folders()[1][1] / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    told |= {"POWERTOOLS_SERVICE_NAME": "bare"}
    command = [_python(), "-S", "-c", _BARE]
    spent = [
        float(subprocess.run(command, env=told, capture_output=True, check=True).stdout) * 1000 for _ in range(ROUNDS)
    ]
    return (
        "libraries alone: imports, a resolver, a client",
        f"{min(spent):.0f}",
        f"{statistics.median(spent):.0f}",
        "",
        "",
    )


def _cpu_milliseconds(process: int) -> float:
    """User and system time of a process that lives, as Linux tells it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / _TICKS


def _imports(environment: Mapping[str, str]) -> list[tuple[str, ...]]:
    package, layers, runtime = _folders()
    path = ":".join(map(str, [package, *(layer / "python" for layer in layers), runtime]))
    # The store is made with the first event: what it brings along belongs to the start.
    code = "import handler; from marketdata import wiring; wiring.shared_store(wiring.settings())"
    command = [_python(), "-S", "-X", "importtime", "-c", code]
    told = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "POWERTOOLS_SERVICE_NAME": "api", **environment}
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    spent: defaultdict[str, list[int]] = defaultdict(list)
    for microseconds, module in _LINE.findall(done.stderr):
        top = module.partition(".")[0]
        spent["Python's own" if top in sys.stdlib_module_names else top].append(int(microseconds))
    ordered = sorted(spent.items(), key=lambda one: -sum(one[1]))
    shown = [(name, f"{sum(each) / 1000:.1f}", str(len(each))) for name, each in ordered[:SHOWN]]
    total = sum(sum(each) for each in spent.values())
    return [*shown, ("all", f"{total / 1000:.1f}", str(sum(map(len, spent.values()))))]
