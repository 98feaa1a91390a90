"""Settings that are secret: asked for beside the function, kept for a while, told to nobody."""

from collections.abc import Iterator

import pytest
from marketdata.errors import SettingsInvalid
from marketdata.secrets_extension import KEPT_SECONDS, SecretSettings

from tests.secrets_reader import SecretsReader, secrets_reader

STORE, CRON = (f"arn:aws:secretsmanager:eu-central-1:1:secret:{name}" for name in ("store", "cron"))


class Seconds:
    """A clock that a test turns, and a sleep that turns it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def reader() -> Iterator[SecretsReader]:
    store = '{"SUPABASE_URL": "https://store.example", "KEY": "k1"}'
    with secrets_reader({STORE: store, CRON: '{"CRON_SECRET": "c1"}'}) as running:
        yield running


def kept(seconds: Seconds) -> SecretSettings:
    return SecretSettings(monotonic=seconds, sleep=seconds.sleep)


def test_a_process_without_secrets_asks_nobody() -> None:
    assert kept(Seconds()).of({}) == {}


def test_every_secret_gives_its_variables(reader: SecretsReader) -> None:
    found = kept(Seconds()).of(reader.environment)
    assert found == {"SUPABASE_URL": "https://store.example", "KEY": "k1", "CRON_SECRET": "c1"}
    assert reader.asked == [(name, "of-the-function") for name in reader.secrets]


def test_what_was_read_is_kept_for_a_minute_and_then_a_rotated_key_is_seen(reader: SecretsReader) -> None:
    seconds = Seconds()
    settings = kept(seconds)
    settings.of(reader.environment)
    reader.secrets[CRON] = '{"CRON_SECRET": "c2"}'
    seconds.now += KEPT_SECONDS - 1
    assert settings.of(reader.environment)["CRON_SECRET"] == "c1"
    seconds.now += 1
    assert settings.of(reader.environment)["CRON_SECRET"] == "c2"


def test_a_reader_that_is_not_ready_is_asked_again(reader: SecretsReader) -> None:
    reader.refusals = 2
    assert kept(Seconds()).of(reader.environment)["CRON_SECRET"] == "c1"


def test_a_reader_that_never_answers_is_told_as_a_setting_that_cannot_be_read(reader: SecretsReader) -> None:
    reader.refusals = 100
    with pytest.raises(SettingsInvalid, match="MARKETDATA_SECRETS cannot be read"):
        kept(Seconds()).of(reader.environment)


def test_what_was_read_before_stays_while_it_cannot_be_read_again(reader: SecretsReader) -> None:
    seconds = Seconds()
    settings = kept(seconds)
    settings.of(reader.environment)
    seconds.now += KEPT_SECONDS
    reader.refusals = 100
    assert settings.of(reader.environment)["CRON_SECRET"] == "c1"


def test_a_secret_that_is_no_object_is_refused_without_telling_it(reader: SecretsReader) -> None:
    reader.secrets = {"one": "hunter2"}
    with pytest.raises(SettingsInvalid, match="not a JSON object") as told:
        kept(Seconds()).of(reader.environment)
    assert "hunter2" not in str(told.value)
