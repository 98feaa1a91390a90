"""Settings that are secret: asked for beside the function, kept for a while, told to nobody."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from marketdata.errors import SettingsInvalid
from marketdata.secrets_extension import KEPT_SECONDS, SecretSettings

STORE, CRON = (f"arn:aws:secretsmanager:eu-central-1:1:secret:{name}" for name in ("store", "cron"))


class Reader(ThreadingHTTPServer):
    """AWS's reader of secrets: what each secret says, and what it was asked."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.refusals = 0
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("localhost", 0), _Answer)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MARKETDATA_SECRETS": ",".join(self.secrets),
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(self.server_port),
            "AWS_SESSION_TOKEN": "of-the-function",
        }


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        reader = self.server
        assert isinstance(reader, Reader)
        name = parse_qs(urlsplit(self.path).query)["secretId"][0]
        reader.asked.append((name, self.headers["X-Aws-Parameters-Secrets-Token"]))
        if reader.refusals:
            reader.refusals -= 1
            self.send_error(400, "not ready to serve traffic, please wait")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"ARN": name, "SecretString": reader.secrets[name]}).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a test reads what was asked."""


class Seconds:
    """A clock that a test turns, and a sleep that turns it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        server.secrets = {
            STORE: '{"SUPABASE_URL": "https://store.example", "KEY": "k1"}',
            CRON: '{"CRON_SECRET": "c1"}',
        }
        yield server
        server.shutdown()
        thread.join()


def kept(seconds: Seconds) -> SecretSettings:
    return SecretSettings(monotonic=seconds, sleep=seconds.sleep)


def test_a_process_without_secrets_asks_nobody() -> None:
    assert kept(Seconds()).of({}) == {}


def test_every_secret_gives_its_variables(reader: Reader) -> None:
    found = kept(Seconds()).of(reader.environment)
    assert found == {"SUPABASE_URL": "https://store.example", "KEY": "k1", "CRON_SECRET": "c1"}
    assert reader.asked == [(name, "of-the-function") for name in reader.secrets]


def test_what_was_read_is_kept_for_a_minute_and_then_a_rotated_key_is_seen(reader: Reader) -> None:
    seconds = Seconds()
    settings = kept(seconds)
    settings.of(reader.environment)
    reader.secrets[CRON] = '{"CRON_SECRET": "c2"}'
    seconds.now += KEPT_SECONDS - 1
    assert settings.of(reader.environment)["CRON_SECRET"] == "c1"
    seconds.now += 1
    assert settings.of(reader.environment)["CRON_SECRET"] == "c2"


def test_a_reader_that_is_not_ready_is_asked_again(reader: Reader) -> None:
    reader.refusals = 2
    assert kept(Seconds()).of(reader.environment)["CRON_SECRET"] == "c1"


def test_a_reader_that_never_answers_is_told_as_a_setting_that_cannot_be_read(reader: Reader) -> None:
    reader.refusals = 100
    with pytest.raises(SettingsInvalid, match="MARKETDATA_SECRETS cannot be read"):
        kept(Seconds()).of(reader.environment)


def test_what_was_read_before_stays_while_it_cannot_be_read_again(reader: Reader) -> None:
    seconds = Seconds()
    settings = kept(seconds)
    settings.of(reader.environment)
    seconds.now += KEPT_SECONDS
    reader.refusals = 100
    assert settings.of(reader.environment)["CRON_SECRET"] == "c1"


def test_a_secret_that_is_no_object_is_refused_without_telling_it(reader: Reader) -> None:
    reader.secrets = {"one": "hunter2"}
    with pytest.raises(SettingsInvalid, match="not a JSON object") as told:
        kept(Seconds()).of(reader.environment)
    assert "hunter2" not in str(told.value)
