"""The cold start of every function as it is shipped, under Lambda's own runtime: from start to first answer.

Packages and layers go through infra/bundle.py, bytecode and all, and run under awslambdaric in front of a stand-in of
Lambda's Runtime API, with the local Supabase as their store and its secrets read as on AWS. Each start is a new
process; all functions take turns, so that a busy minute weighs on each. Beside them run the smallest functions with
the usual libraries (benchmarks/reference), in the same way. Then the package of the api function is imported under
`-X importtime`, and what each library took by itself is added up.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from marketdata.model.instrument import Instrument
from marketdata.store.supabase import SupabaseStore

from benchmarks.first_answer import PYTHON, TARGET, FirstAnswer, Shipped, interpreter, layers_of, start
from benchmarks.result import Result, Table
from infra import bundle
from infra.catalog import FUNCTIONS
from infra.needs import NEEDS, SECRETS
from infra.sizes import MEGABYTE, unpacked_bytes, zipped_bytes
from local.supabase import LocalSupabase
from local.supabase_binaries import BinariesMissing
from local.supabase_gateway import SupabaseGateway
from tests.functions.calls import event
from tests.secrets_reader import SecretsReader, secrets_reader

ROUNDS = 9
SECONDS_MAX = 150
"""No round begins later."""
SHOWN = 14
COLUMNS = ("function", "package KB", "layers MB", "CPU ms, least", "CPU ms, median", "wall ms, least", "memory MB")
REFERENCE = Path(__file__).resolve().parent / "reference"
REFERENCES = {
    "resolver": "reference: resolver, validation, pydantic",
    "postgrest_client": "reference: the same and a PostgREST client",
}
HEALTH = event("GET", "/v1/health/live")
_NOBODY = {
    "COINBASE_REST_URL": "http://127.0.0.1:9",
    "BACKFILL_POLL_SECONDS": "0",
    "GAP_HISTORY_DAYS": "1",
    "POWERTOOLS_SERVICE_NAME": "marketdata",
}
"""No exchange is asked."""
_FORGET = """
set session_replication_role = replica;
delete from public.candle_gaps;
delete from public.ingestion_jobs;
"""
"""A job that ran already does not run again, and what one ordered another would fetch."""
_LINE = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)")

Costs = dict[str, list[FirstAnswer]]


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres."""
    try:
        with _house() as (reader, dsn):
            announce("packages and layers")
            shipped = [*_functions(reader), *_references()]
            costs = _take_turns(shipped, dsn, announce)
            announce("importing, library by library")
            imports = _imports(reader)
    except BinariesMissing as missing:
        return Result("cold_start", (), (f"not measured: {missing}",))
    rounds = min(map(len, costs.values()))
    notes = (
        f"Python {PYTHON} on x86_64, awslambdaric 4.2.2, bytecode unchecked-hash, {rounds} new processes each.",
        "A package is what is uploaded, zipped; layers as Lambda unpacks them; memory is the most that was held.",
        "Imports are of one process under -X importtime, which makes each slower than it is.",
    )
    tables = (
        Table("Every function as it is shipped", COLUMNS, _rows(shipped, costs)),
        Table("Layers", ("layer", "unpacked MB", "zipped MB"), _layer_rows()),
        Table("Imports of api by library, by themselves", ("library", "ms", "modules"), tuple(imports)),
    )
    return Result("cold_start", tables, notes)


@contextmanager
def _house() -> Iterator[tuple[SecretsReader, str]]:
    """A Supabase with one instrument, whatever reads its secrets, and the address of its Postgres."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalSupabase(Path(folder) / "db", fsync=False) as supabase,
        SupabaseGateway(supabase.rest_url, supabase.keys) as gateway,
    ):
        store = SupabaseStore(gateway.url, supabase.keys.service)
        store.put_instruments([Instrument("coinbase", "BTC-USD", "BTC", "USD")])
        store.close()
        held = {
            "SUPABASE_URL": gateway.url,
            "SUPABASE_SECRET_KEY": supabase.keys.secret,
            "CRON_SECRET": "a-cron-secret",
            "INGEST_API_KEYS": "an-ingest-key",
            "CURSOR_SECRET": "signs-cursors",
        }
        secrets = {one.name: json.dumps({name: held.get(name, "") for name in one.names}) for one in SECRETS}
        with secrets_reader({one.name: secrets[one.name] for one in SECRETS if not one.optional}) as reader:
            yield reader, supabase.dsn


def _functions(reader: SecretsReader) -> Iterator[Shipped]:
    """Every function of the catalog and the event beside its handler; api answers two more questions."""
    for function in FUNCTIONS:
        request = json.loads((bundle.ROOT / function.path / "event.json").read_text())
        yield _function(function.name, function.name, request, reader)
    yield _function("api", "api: health, no question to the store", HEALTH, reader)


def _function(function: str, name: str, request: Mapping[str, Any], reader: SecretsReader) -> Shipped:
    package = bundle.function_package(function, TARGET)
    return Shipped(name, package, layers_of(function), _environment(function, reader), request)


def _environment(function: str, reader: SecretsReader) -> dict[str, str]:
    needs = NEEDS[function]
    of_row = ",".join(name for name in needs.secrets if name in reader.secrets)
    return {**reader.environment, **_NOBODY, **dict(needs.environment), "MARKETDATA_SECRETS": of_row}


def _references() -> Iterator[Shipped]:
    packages = bundle.locked_layer("reference", REFERENCE / "requirements.txt", TARGET)
    for folder, name in REFERENCES.items():
        package = bundle.handler_package(REFERENCE / folder, TARGET)
        yield Shipped(name, package, (packages,), {"POWERTOOLS_SERVICE_NAME": "reference"}, HEALTH)


def _take_turns(shipped: list[Shipped], dsn: str, announce: Callable[[str], None]) -> Costs:
    """So many rounds as there is time for, one at least."""
    costs: Costs = {one.name: [] for one in shipped}
    until = time.monotonic() + SECONDS_MAX
    for number in range(ROUNDS):
        if number and time.monotonic() > until:
            break
        announce(f"round {number + 1}")
        for one in shipped:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(_FORGET)
            costs[one.name].append(start(one))
    return costs


def _rows(shipped: list[Shipped], costs: Costs) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            one.name,
            f"{zipped_bytes(one.package) / 1000:.1f}",
            f"{sum(map(unpacked_bytes, one.layers)) / MEGABYTE:.1f}",
            *_figures(costs[one.name]),
        )
        for one in shipped
    )


def _figures(answers: list[FirstAnswer]) -> tuple[str, ...]:
    cpu = [one.cpu_milliseconds for one in answers]
    least = min(one.wall_milliseconds for one in answers)
    memory = max(one.resident_megabytes for one in answers)
    return (f"{min(cpu):.0f}", f"{statistics.median(cpu):.0f}", f"{least:.0f}", f"{memory:.0f}")


def _layer_rows() -> tuple[tuple[str, ...], ...]:
    names = sorted({"vendor", *(name for needs in NEEDS.values() for name in needs.layers)})
    folders = {"marketdata": bundle.library_layer(TARGET)}
    folders |= {name: bundle.packages_layer(name, TARGET) for name in names}
    return tuple(
        (name, f"{unpacked_bytes(folder) / MEGABYTE:.1f}", f"{zipped_bytes(folder) / MEGABYTE:.1f}")
        for name, folder in folders.items()
    )


def _imports(reader: SecretsReader) -> list[tuple[str, ...]]:
    folders = [bundle.function_package("api", TARGET), *(layer / "python" for layer in layers_of("api"))]
    path = ":".join(map(str, [*folders, bundle.runtime_interface(TARGET)]))
    # The store is made with the first event: what it brings along belongs to the start.
    code = "import handler; from marketdata import wiring; wiring.shared_store(wiring.settings())"
    command = [interpreter(), "-S", "-X", "importtime", "-c", code]
    told = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **_environment("api", reader)}
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    spent: defaultdict[str, list[int]] = defaultdict(list)
    for microseconds, module in _LINE.findall(done.stderr):
        top = module.partition(".")[0]
        spent["Python's own" if top in sys.stdlib_module_names else top].append(int(microseconds))
    ordered = sorted(spent.items(), key=lambda one: -sum(one[1]))
    shown = [(name, f"{sum(each) / 1000:.1f}", str(len(each))) for name, each in ordered[:SHOWN]]
    total = sum(sum(each) for each in spent.values())
    return [*shown, ("all", f"{total / 1000:.1f}", str(sum(map(len, spent.values()))))]
