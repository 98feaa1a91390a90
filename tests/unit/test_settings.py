"""The environment becomes settings: complete, or a sentence that says what to set."""

import pytest
from marketdata.errors import RequestInvalid, SettingsInvalid
from marketdata.exchanges import coinbase_rest
from marketdata.model.coin import Coin
from marketdata.settings import Settings, settings_from

LEAST = {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": "the-service-key"}
SECRETS = LEAST | {
    "CRON_SECRET": "the-cron-secret",
    "INGEST_API_KEYS": "first-key,second-key",
    "CURSOR_SECRET": "the-seal",
}


def of(**environment: str) -> Settings:
    return settings_from(LEAST | environment)


def test_a_project_and_its_key_are_enough() -> None:
    known = of()
    assert (known.supabase_url, known.supabase_key.reveal()) == tuple(LEAST.values())
    assert (known.cron_secret, known.ingest_api_keys, known.local, known.log_level) == (None, (), False, "INFO")
    assert (known.flush_seconds, known.keep_ticks, known.feed_exchanges) == (1, True, ())


def test_other_names_that_supabase_uses_are_understood() -> None:
    known = settings_from({"NEXT_PUBLIC_SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_SECRET_KEY": "sb_secret_x"})
    assert (known.supabase_url, known.supabase_key.reveal()) == ("https://abc.supabase.co", "sb_secret_x")


def test_a_variable_set_to_nothing_is_not_set() -> None:
    other = {"SUPABASE_URL": " ", "NEXT_PUBLIC_SUPABASE_URL": "https://other.supabase.co"}
    assert of(**other).supabase_url == "https://other.supabase.co"
    assert of(CRON_SECRET="  ").cron_secret is None


def test_lists_are_separated_by_commas() -> None:
    known = of(INGEST_API_KEYS=" first-key, second-key ,", FEED_EXCHANGES="coinbase,kraken")
    assert [key.reveal() for key in known.ingest_api_keys] == ["first-key", "second-key"]
    assert known.feed_exchanges == ("coinbase", "kraken")


def test_where_an_exchange_is_and_which_feed_is_followed_are_settings() -> None:
    shipped, own = of().exchange("coinbase"), of(COINBASE_FEED="advanced").exchange("coinbase")
    assert (shipped.feed, shipped.rest_url, shipped.websocket_url) == ("exchange", coinbase_rest.REST_URL, None)
    assert own.feed == "advanced"
    known = of(COINBASE_WEBSOCKET_URL="ws://127.0.0.1:1/feed", BITFINEX_REST_URL="http://127.0.0.1:2")
    assert known.exchange("coinbase-simulated").websocket_url == "ws://127.0.0.1:1/feed"
    assert known.exchange("bitfinex").rest_url == "http://127.0.0.1:2"
    with pytest.raises(RequestInvalid, match="coinbase, bitfinex"):
        known.exchange("mtgox")


def test_every_function_of_one_project_signs_cursors_alike_and_no_other_project_does() -> None:
    derived = of().cursor_secret.reveal()
    assert derived == of(LOG_LEVEL="DEBUG").cursor_secret.reveal()
    assert derived != of(SUPABASE_SERVICE_ROLE_KEY="another").cursor_secret.reveal()
    assert "the-service-key" not in derived
    assert of(CURSOR_SECRET="the-seal").cursor_secret.reveal() == "the-seal"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SUPABASE_URL", "abc.supabase.co"),
        ("LOG_LEVEL", "chatty"),
        ("MARKETDATA_LOCAL", "perhaps"),
        ("COINBASE_FEED", "fastest"),
        ("COINBASE_WEBSOCKET_URL", "https://example.com"),
        ("BITFINEX_REST_URL", "api-pub.bitfinex.com"),
        ("FLUSH_SECONDS", "0"),
        ("FLUSH_SECONDS", "soon"),
        ("INSTRUMENTS_REFRESH_SECONDS", "-1"),
        ("FEED_PORT", "70000"),
        ("KEEP_TICKS", "some"),
        ("GAP_HISTORY_DAYS", "0"),
        ("GAP_GRACE_SECONDS", "-1"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        of(**{variable: value})
    assert list(refused.value.reasons) == [variable]


def test_an_address_without_its_beginning_is_told_what_it_lacks() -> None:
    with pytest.raises(SettingsInvalid, match="with its http:// or https://"):
        of(SUPABASE_URL="abc.supabase.co")
    with pytest.raises(SettingsInvalid, match="COINBASE_WEBSOCKET_URL is wrong: must be an address like wss:"):
        of(COINBASE_WEBSOCKET_URL="https://example.com")


def test_everything_that_is_missing_or_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        settings_from({"FLUSH_SECONDS": "soon"})
    assert set(refused.value.reasons) == {"SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "FLUSH_SECONDS"}
    assert refused.value.reasons["SUPABASE_URL"] == "is required"


def test_no_secret_is_shown_by_settings_or_by_what_is_wrong_with_them() -> None:
    secrets = [value for name, value in SECRETS.items() if name != "SUPABASE_URL"] + ["first-key", "second-key"]
    with pytest.raises(SettingsInvalid) as refused:
        settings_from(SECRETS | {"SUPABASE_URL": "the-service-key", "FEED_PORT": "the-seal"})
    shown = [repr(settings_from(SECRETS)), str(settings_from(SECRETS)), str(refused.value)]
    assert not [secret for secret in secrets if any(secret in text for text in shown)]


def test_the_host_of_coingecko_goes_with_the_plan_of_the_key() -> None:
    assert of().exchange("coingecko").rest_url == "https://api.coingecko.com/api/v3"
    assert of(COINGECKO_PLAN="pro").exchange("coingecko").rest_url == "https://pro-api.coingecko.com/api/v3"
    own = of(COINGECKO_PLAN="pro", COINGECKO_REST_URL="http://127.0.0.1:1")
    assert own.exchange("coingecko").rest_url == "http://127.0.0.1:1"


def test_coins_are_named_by_the_currency_and_the_id_that_coingecko_has_of_it() -> None:
    assert of().coingecko_coins == ()
    assert of(COINGECKO_IDS=" btc=bitcoin, ETH = ethereum ,").coingecko_coins == (
        Coin("BTC", "bitcoin"),
        Coin("ETH", "ethereum"),
    )
    for wrong in ("bitcoin", "BTC=", "=bitcoin", "BTC=bitcoin,BTC=wrapped-bitcoin", "BTC=a/b"):
        with pytest.raises(SettingsInvalid, match="COINGECKO_IDS"):
            of(COINGECKO_IDS=wrong)
