"""Every function as it is shipped: its package and layers under Lambda's own runtime, on the local Supabase.

The layers are built for this processor, and for Lambda's Python where this machine has it, else for its own.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marketdata.store.supabase import SupabaseStore

from infra import bundle
from infra.catalog import FUNCTIONS, ROUTES, Function
from infra.needs import NEEDS, SECRETS
from tests.conftest import RunningSupabase
from tests.functions.runtime_api import Invocation, RuntimeApi
from tests.market import BTC
from tests.secrets_reader import SecretsReader, secrets_reader

pytestmark = [pytest.mark.stack, pytest.mark.slow]

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = bundle.LAMBDA_PYTHON if bundle.interpreter(bundle.LAMBDA_PYTHON) else HERE
TARGET = bundle.Target(PYTHON, "x86_64")
BEHIND_ROUTES = {route.function for route in ROUTES}
# No exchange is asked: what a job finds there is another test's matter.
NOBODY = {
    "COINBASE_REST_URL": "http://127.0.0.1:9",
    "BACKFILL_POLL_SECONDS": "0",
    "GAP_HISTORY_DAYS": "1",
    "POWERTOOLS_SERVICE_NAME": "marketdata",
}


@pytest.fixture(scope="module")
def reader(supabase: RunningSupabase) -> Iterator[SecretsReader]:
    """The secrets of a deployment to the local Supabase, as Secrets Manager would have them."""
    held = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.keys.secret,
        "CRON_SECRET": "a-cron-secret",
        "INGEST_API_KEYS": "an-ingest-key",
        "CURSOR_SECRET": "signs-cursors",
    }
    secrets = {
        secret.name: json.dumps({name: held.get(name, "") for name in secret.names})
        for secret in SECRETS
        if not secret.optional
    }
    with secrets_reader(secrets) as running:
        yield running


@pytest.fixture
def market(empty_supabase: RunningSupabase) -> RunningSupabase:
    """A store with one instrument."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    try:
        store.put_instruments([BTC])
    finally:
        store.close()
    return empty_supabase


def unzipped(folder: Path, into: Path) -> Path:
    """The folder after it went through the zip that is uploaded, where every file is of 1980."""
    archive = into / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, file.read_bytes())
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(into / folder.name)
    return into / folder.name


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every layer that some function has, as Lambda unpacks it."""
    into = tmp_path_factory.mktemp("layers")
    names = {"vendor", *(name for needs in NEEDS.values() for name in needs.layers)}
    found = {name: unzipped(bundle.packages_layer(name, TARGET), into) for name in sorted(names)}
    return {"marketdata": unzipped(bundle.library_layer(TARGET), into), **found}


def started(function: Function, layers: dict[str, Path], reader: SecretsReader, folder: Path) -> RuntimeApi:
    """The function as Lambda would start it, with the secrets of its row and no others."""
    needs = NEEDS[function.name]
    of_row = ",".join(name for name in needs.secrets if name in reader.secrets)
    python = bundle.interpreter(PYTHON)
    assert python is not None
    return RuntimeApi(
        python=python,
        package=unzipped(bundle.function_package(function.name, TARGET), folder),
        layers=[layers[name] for name in ("marketdata", "vendor", *needs.layers)],
        runtime=bundle.runtime_interface(TARGET),
        environment={**reader.environment, **NOBODY, **dict(needs.environment), "MARKETDATA_SECRETS": of_row},
        name=function.name,
        memory_megabytes=function.memory_megabytes,
        log=folder / "log.txt",
    )


def shown_event(function: Function) -> dict[str, Any]:
    """Its event.json."""
    found: dict[str, Any] = json.loads((bundle.ROOT / function.path / "event.json").read_text())
    return found


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_package_starts_on_lambdas_runtime_and_answers_its_event(
    function: Function, layers: dict[str, Path], reader: SecretsReader, market: RunningSupabase, tmp_path: Path
) -> None:
    with started(function, layers, reader, tmp_path) as running:
        answered = running.invoke(shown_event(function))
        assert running.process is not None
        environ = Path(f"/proc/{running.process.pid}/environ").read_bytes().decode()
    log = (tmp_path / "log.txt").read_text()
    assert answered.kind == "response", f"{answered}\n{log}"
    if function.name in BEHIND_ROUTES:
        assert answered.document["statusCode"] in {200, 202}, answered.document
    else:
        assert answered.document["status"] == "success", answered.document
    for secret in (market.keys.secret, "a-cron-secret", "an-ingest-key", "signs-cursors"):
        assert secret not in environ
        assert secret not in log


def test_a_function_without_its_secrets_yet_says_so_and_does_not_fail(layers: dict[str, Path], tmp_path: Path) -> None:
    roll_up = next(function for function in FUNCTIONS if function.name == "roll_up")
    with (
        secrets_reader(
            {"supabase": '{"SUPABASE_URL": "", "SUPABASE_SECRET_KEY": "", "CURSOR_SECRET": "drawn"}'}
        ) as empty,
        started(roll_up, layers, empty, tmp_path) as running,
    ):
        answered: Invocation = running.invoke(shown_event(roll_up))
    assert (answered.kind, answered.document["status"]) == ("response", "unconfigured")


def test_a_rotated_key_is_taken_up_by_the_next_cold_start(
    layers: dict[str, Path], reader: SecretsReader, market: RunningSupabase, tmp_path: Path
) -> None:
    cron = next(function for function in FUNCTIONS if function.name == "cron")
    kept = dict(reader.secrets)
    reader.secrets["cron"] = '{"CRON_SECRET": "the-next-one"}'
    try:
        event = shown_event(cron)
        with started(cron, layers, reader, tmp_path) as running:
            assert running.invoke(event).document["statusCode"] == 401
            event["headers"]["authorization"] = "Bearer the-next-one"
            assert running.invoke(event).document["statusCode"] in {200, 202}
    finally:
        reader.secrets = kept
