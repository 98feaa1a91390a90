"""The `/rest/v1` door: unmodified supabase-py passes with every kind of key, everybody else is told why not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from marketdata.clock import FakeClock
from postgrest.exceptions import APIError
from postgrest.types import CountMethod, ReturnMethod

from local.supabase_gateway import BODY_BYTES_MAX, SupabaseGateway
from local.supabase_keys import make_keys, sign_role
from local.supabase_ports import free_port
from supabase import Client, ClientOptions, create_client
from tests.conftest import RunningSupabase

BITCOIN = {"exchange": "coinbase", "symbol": "BTC-USD", "base": "BTC", "quote": "USD"}
CANDLES = "instrument_id,timeframe,open_time"


def candles(count: int) -> list[dict[str, Any]]:
    """Minutes of the first instrument from 2026-11-21 on."""
    start = datetime(2026, 11, 21, tzinfo=UTC)
    return [
        {
            "instrument_id": 1,
            "timeframe": 1,
            "open_time": (start + timedelta(minutes=minute)).isoformat(),
            "source": 4,
            **dict.fromkeys(("open", "high", "low", "close"), "0.00001234567890123456789"),
            "volume": "2",
        }
        for minute in range(count)
    ]


@pytest.fixture(params=["anon", "publishable"])
def reader(request: pytest.FixtureRequest, supabase: RunningSupabase) -> Iterator[Client]:
    """supabase-py with a key of somebody without rights of their own, old style and new."""
    with httpx.Client() as http:
        yield create_client(supabase.url, getattr(supabase.keys, request.param), ClientOptions(httpx_client=http))


@pytest.fixture(params=["service", "secret"])
def worker(request: pytest.FixtureRequest, empty_supabase: RunningSupabase) -> Iterator[Client]:
    """supabase-py with a key that may do everything, old style and new, on an empty database."""
    with httpx.Client() as http:
        yield create_client(
            empty_supabase.url, getattr(empty_supabase.keys, request.param), ClientOptions(httpx_client=http)
        )


def test_what_a_worker_writes_a_reader_reads_exactly(worker: Client, reader: Client) -> None:
    worker.table("instruments").insert(BITCOIN).execute()
    worker.table("candles").upsert(candles(2), on_conflict=CANDLES, returning=ReturnMethod.minimal).execute()
    read = reader.table("candles").select("open::text,volume").order("open_time").execute()
    assert read.data == [{"open": "0.00001234567890123456789", "volume": 2}] * 2
    answer: Any = reader.rpc("get_candles_v1", {"p_instrument_id": 1, "p_timeframe": 1, "p_limit": 1}).execute().data
    assert answer["close"] == ["0.00001234567890123456789"]


def test_an_upsert_said_twice_is_one_row(worker: Client) -> None:
    for name in ("BTC", "XBT"):
        worker.table("instruments").upsert({**BITCOIN, "base": name}, on_conflict="exchange,symbol").execute()
    counted = worker.table("instruments").select("base", count=CountMethod.exact).execute()
    assert (counted.count, counted.data) == (1, [{"base": "XBT"}])


def test_a_reader_may_not_write(worker: Client, reader: Client) -> None:
    with pytest.raises(APIError, match="permission denied"):
        reader.table("instruments").insert(BITCOIN).execute()


def test_the_cap_of_1000_rows_is_there_and_silent_but_a_columnar_answer_is_whole(worker: Client) -> None:
    worker.table("instruments").insert(BITCOIN).execute()
    worker.table("candles").upsert(candles(1100), on_conflict=CANDLES, returning=ReturnMethod.minimal).execute()
    capped: Any = worker.table("candles").select("open_time").limit(5000).execute().data
    assert len(capped) == 1000
    counted = worker.table("candles").select("*", count=CountMethod.exact, head=True).execute()
    assert counted.count == 1100
    whole: Any = worker.rpc("get_candles_v1", {"p_instrument_id": 1, "p_timeframe": 1, "p_limit": 5000}).execute().data
    assert len(whole["open_time"]) == 1100


def test_filters_keep_their_encoding(worker: Client) -> None:
    odd = {**BITCOIN, "symbol": 'a,b "c" %2F&d=é'}
    worker.table("instruments").insert(odd).execute()
    found = worker.table("instruments").select("symbol").in_("symbol", [odd["symbol"]]).execute()
    assert found.data == [{"symbol": odd["symbol"]}]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No API key found in request"),
        ({"apikey": "sb_secret_guessed"}, "Invalid API key"),
        ({"apikey": "é"}, "Invalid API key"),
        (
            {"apikey": sign_role("service_role", "another secret than ours, long enough", 4_102_444_800)},
            "Invalid API key",
        ),
    ],
)
def test_without_a_key_of_ours_the_door_stays_shut(
    supabase: RunningSupabase, headers: dict[str, str], message: str
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = httpx.get(f"{supabase.url}/rest/v1/instruments", headers=raw)
    assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_a_users_own_token_counts_more_than_the_key(supabase: RunningSupabase) -> None:
    headers = {"apikey": supabase.keys.secret, "Authorization": f"Bearer {supabase.keys.anon}"}
    answer = httpx.get(f"{supabase.url}/rest/v1/feeds", headers=headers)
    assert answer.status_code == 401
    forged = sign_role("service_role", "another secret than ours, long enough", 4_102_444_800)
    answer = httpx.get(f"{supabase.url}/rest/v1/feeds", headers={**headers, "Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


def test_a_new_key_sent_as_a_token_is_one_too(supabase: RunningSupabase) -> None:
    secret = supabase.keys.secret
    headers = {"apikey": supabase.keys.publishable, "Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{supabase.url}/rest/v1/feeds", headers=headers).status_code == 200


def test_the_token_that_a_new_key_becomes_lives_five_minutes(supabase: RunningSupabase) -> None:
    headers = {"apikey": supabase.keys.publishable}
    long_ago = FakeClock(datetime.now(UTC) - timedelta(minutes=6))
    with SupabaseGateway(supabase.stack.rest_url, supabase.keys, long_ago) as gateway:
        expired = httpx.get(f"{gateway.url}/rest/v1/instruments", headers=headers)
        assert (expired.status_code, expired.json()["message"]) == (401, "JWT expired")
        long_ago.advance(timedelta(minutes=2))
        assert httpx.get(f"{gateway.url}/rest/v1/instruments", headers=headers).status_code == 200


def test_a_browser_may_ask_before_it_has_a_key(supabase: RunningSupabase) -> None:
    headers = {
        "Origin": "http://localhost:8100",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "apikey",
    }
    answer = httpx.options(f"{supabase.url}/rest/v1/instruments", headers=headers)
    assert answer.status_code == 200
    assert "apikey" in answer.headers["access-control-allow-headers"].lower()


def test_a_body_without_a_stated_length_is_passed_on(empty_supabase: RunningSupabase) -> None:
    body = (piece for piece in (b'{"exchange": "coinbase", "symbol": "BTC-USD",', b' "base": "BTC", "quote": "USD"}'))
    headers = {"apikey": empty_supabase.keys.secret, "Content-Type": "application/json"}
    answer = httpx.post(f"{empty_supabase.url}/rest/v1/instruments", headers=headers, content=body)
    assert answer.status_code == 201


def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_so(supabase: RunningSupabase) -> None:
    url, headers = f"{supabase.url}/rest/v1/instruments", {"apikey": supabase.keys.secret}
    piece = b" " * 1024 * 1024
    pieces = BODY_BYTES_MAX // len(piece) + 1
    for content in (piece * pieces, (piece for _ in range(pieces))):
        answer = httpx.post(url, headers=headers, content=content)
        assert (answer.status_code, answer.json()["message"]) == (413, "The body is too large")


def test_while_postgrest_is_away_the_door_says_so() -> None:
    keys = make_keys()
    with SupabaseGateway(f"http://127.0.0.1:{free_port()}", keys) as gateway:
        answer = httpx.get(f"{gateway.url}/rest/v1/instruments", headers={"apikey": keys.anon})
    assert (answer.status_code, answer.json()["message"]) == (503, "The database API is not running")
