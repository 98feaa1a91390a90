"""The TypeScript client: its types are the document's, a wrong timeframe does not compile, and Node runs it."""

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import MIDNIGHT, Served, made
from tests.clients.test_examples import tell_until
from tests.clients.test_python_client import live_candle

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "typescript"
TOOLS = ROOT / "node_modules" / ".bin"

EXAMPLES = [
    pytest.param(example, id=f"{page}-{number}")
    for page in ("docs/clients.md", "clients/typescript/README.md")
    for number, example in enumerate(re.findall(r"```ts\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (TOOLS / "tsc").exists(), reason="the npm packages are not installed: run `make install`"),
]

EXAMPLE = """
import {{ fetchCandles, MarketDataClient, MarketDataError }} from "{client}";
const options = {{ baseUrl: "{url}", patience: {{ delayMilliseconds: 1 }} }};
const newest = await fetchCandles("BTC-USD", "1m", 3, options);
const client = new MarketDataClient(options);
const opens = [];
const span = {{ symbol: "BTC-USD", start: "2026-08-09T00:00Z", end: "2026-08-10T00:00Z", limit: 500 }};
let pages = 0;
for await (const page of client.pages(span)) {{ pages += 1; opens.push(...page.data.map((one) => one.open)); }}
let refused = {{}};
try {{ await client.fetchCandles("NOBODY"); }} catch (error) {{
  refused = {{ is: error instanceof MarketDataError, type: error.type, fields: error.fields }};
}}
const {{ data }} = await client.api.GET("/v1/instruments");
console.log(JSON.stringify({{ newest, opens, pages, refused, instruments: data.data.length }}));
"""


def run(*command: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    words = [str(part) for part in command]
    return subprocess.run(words, check=False, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as JavaScript, in a folder from which Node finds what it needs."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    shutil.copy(CLIENT / "package.json", folder)
    shutil.copytree(CLIENT / "src", folder / "src")
    shutil.copy(CLIENT / "tsconfig.json", folder)
    done = run(TOOLS / "tsc", "-p", folder)
    assert done.returncode == 0, done.stdout
    return folder


def test_the_types_are_those_of_the_document(tmp_path: Path) -> None:
    drawn = tmp_path / "schema.ts"
    done = run(TOOLS / "openapi-typescript", ROOT / "docs" / "openapi.json", "-o", drawn)
    assert done.returncode == 0, done.stderr
    assert drawn.read_text() == (CLIENT / "src" / "schema.ts").read_text(), (
        "run `make openapi`, and commit what it wrote"
    )


@pytest.mark.parametrize(("timeframe", "compiles"), [("1h", True), ("7h", False)])
def test_a_timeframe_that_there_is_not_does_not_compile(built: Path, timeframe: str, compiles: bool) -> None:
    asked = built / "src" / "asked.ts"
    asked.write_text(
        f'import {{ fetchCandles }} from "./index.js";\nawait fetchCandles("BTC-USD", "{timeframe}", 10);\n'
    )
    try:
        done = run(TOOLS / "tsc", "-p", built, "--noEmit")
    finally:
        asked.unlink()
    assert (done.returncode == 0) is compiles, done.stdout
    assert ("7h" in done.stdout) is not compiles


@pytest.mark.stack
def test_node_runs_it_against_the_server(served: Served, built: Path) -> None:
    script = built / "example.mjs"
    script.write_text(EXAMPLE.format(client="./dist/index.js", url=served.url))
    done = run("node", script, folder=built)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert [candle["close"] for candle in told["newest"]] == [str(made(place).close) for place in (1437, 1438, 1439)]
    assert told["opens"] == [str(made(place).open) for place in range(1_440)]
    assert told["pages"] == 3
    assert told["newest"][0]["open_time"] == f"{MIDNIGHT:%Y-%m-%d}T23:57:00Z"
    assert told["refused"] == {"is": True, "type": "/problems/unknown-symbol", "fields": ["symbol"]}
    assert told["instruments"] == 2


@pytest.mark.stack
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_documents_compiles_and_runs(
    served: Served, built: Path, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    monkeypatch.setenv("MARKETDATA_URL", served.url)
    shown = built / "src" / "example.ts"
    shown.write_text(example)
    try:
        done = run(TOOLS / "tsc", "-p", built)
    finally:
        shown.unlink()
    assert done.returncode == 0, done.stdout
    over = threading.Event()
    telling = threading.Thread(target=tell_until, args=(served, over))
    telling.start()
    try:
        done = run("node", built / "dist" / "example.js", folder=built)
    finally:
        over.set()
        telling.join(10)
    assert done.returncode == 0, done.stderr


FOLLOWING = """
import {{ MarketDataClient, MarketDataError }} from "{client}";
const client = new MarketDataClient({{ baseUrl: "{url}", patience: {{ delayMilliseconds: 1 }} }});
let refused = "";
try {{ for await (const _ of client.stream({{ kinds: ["weather"] }})) break; }} catch (error) {{
  refused = error instanceof MarketDataError ? error.fields.join() : String(error);
}}
console.log(JSON.stringify(refused));
for await (const event of client.stream({{ symbols: ["BTC-USD"], lastEventId: "{place}" }})) {{
  console.log(JSON.stringify([event.kind, event.data.open_time ?? event.data.state ?? null]));
  if (event.kind === "alert") break;
}}
"""


@pytest.mark.stack
def test_the_stream_is_typed_and_goes_on_after_a_break(served: Served, built: Path) -> None:
    script = built / "following.mjs"
    script.write_text(FOLLOWING.format(client="./dist/index.js", url=served.url, place="another-epoch-7"))
    words = ["node", str(script)]
    with subprocess.Popen(words, cwd=built, stdout=subprocess.PIPE, text=True) as following:
        lines = following.stdout
        assert lines is not None
        heard = [json.loads(lines.readline()), json.loads(lines.readline())]
        served.publish("candle", live_candle(1))
        heard.append(json.loads(lines.readline()))
        served.end_streams()
        served.publish("gap", b'{"state":"filled"}')
        served.publish("alert", b'{"state":"firing"}')
        heard += [json.loads(line) for line in lines]
        assert following.wait(30) == 0
    open_time = f"{MIDNIGHT:%Y-%m-%d}T00:01:00Z"
    assert heard == ["kinds", ["reset", None], ["candle", open_time], ["gap", "filled"], ["alert", "firing"]]
