"""What keys and quotas mean, over the store in memory, the one in Supabase, and quotas in Valkey or Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from time import monotonic

import pytest
from marketdata.errors import StoreError
from marketdata.model.api_key import ApiKey, Scope
from marketdata.store.access import Grant, QuotaBook
from marketdata.store.memory import MemoryStore
from marketdata.store.redis_line import RedisLine
from marketdata.store.redis_quotas import RedisQuotas
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import NOON
from tests.redis_server import running_redis

DAY = timedelta(days=1)
DIGEST = sha256(b"a key").hexdigest()
KEY = ApiKey("mde_1", "ann", Scope.INGEST, DIGEST, NOON, NOON + DAY)
ON_THE_STACK = pytest.param("supabase", marks=pytest.mark.stack)


@pytest.fixture
def supabase_store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A store on an empty database."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    store.close()


@pytest.fixture(params=["memory", ON_THE_STACK])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, empty."""
    one: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
    return one


@pytest.fixture(params=["memory", ON_THE_STACK, "redis"])
def book(request: pytest.FixtureRequest) -> Iterator[QuotaBook]:
    """Each book of quotas in turn."""
    if request.param != "redis":
        yield MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
        return
    with running_redis() as server:
        line = RedisLine(server.url)
        yield RedisQuotas(line)
        line.close()


def test_a_key_is_found_as_it_was_added_by_its_prefix_alone(store: Store) -> None:
    other = replace(KEY, prefix="mde_2", created_at=NOON + DAY, expires_at=None, scope=Scope.READ)
    assert store.add_key(other)
    assert store.add_key(KEY)
    assert store.find_key("mde_1") == KEY
    assert store.find_key("mde_3") is None
    assert store.keys() == [KEY, other]


def test_saying_the_same_key_again_changes_nothing_and_another_of_its_prefix_is_refused(store: Store) -> None:
    assert store.add_key(KEY)
    assert store.add_key(replace(KEY, name="someone else"))
    assert not store.add_key(replace(KEY, digest=sha256(b"another").hexdigest()))
    assert store.keys() == [KEY]


def test_a_revoked_key_stays_revoked_as_of_the_first_time(store: Store) -> None:
    store.add_key(KEY)
    assert store.revoke_key("mde_1", now=NOON + DAY / 2)
    assert store.revoke_key("mde_1", now=NOON + DAY)
    assert store.add_key(KEY)
    assert store.find_key("mde_1") == replace(KEY, revoked_at=NOON + DAY / 2)
    assert not store.revoke_key("mde_9", now=NOON)


@pytest.mark.parametrize("wrong", [{"prefix": ""}, {"name": ""}, {"digest": "a key"}, {"expires_at": NOON}])
def test_what_cannot_be_a_key_is_refused(store: Store, wrong: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        store.add_key(replace(KEY, **wrong))  # type: ignore[arg-type]


def take(book: QuotaBook, wanted: int = 1, name: str = "ann") -> Grant:
    return book.take_quota(name, quota=5, window_seconds=60, wanted=wanted)


def test_a_quota_is_granted_until_it_is_used_up_and_each_name_has_its_own(book: QuotaBook) -> None:
    first, second, third = take(book, 3), take(book, 3), take(book)
    assert [(one.granted, one.left) for one in (first, second, third)] == [(3, 2), (2, 0), (0, 0)]
    assert all(55 < one.reset_seconds <= 60 for one in (first, second, third))
    assert take(book, name="bob").left == 4


def test_of_many_who_ask_at_once_exactly_the_quota_is_granted(book: QuotaBook) -> None:
    with ThreadPoolExecutor(8) as pool:
        grants = list(pool.map(lambda _: take(book).granted, range(40)))
    assert sum(grants) == 5


def test_a_window_that_is_over_begins_anew(book: QuotaBook) -> None:
    def ask() -> Grant:
        return book.take_quota("ann", quota=1, window_seconds=1)

    assert ask().granted == 1
    waited = [ask()]
    deadline = monotonic() + 10
    while not waited[-1].granted and monotonic() < deadline:
        waited.append(ask())
    assert waited[-1].granted == 1
    assert all(0 <= one.reset_seconds <= 1 for one in waited)


@pytest.mark.parametrize("wrong", [{"quota": 0}, {"wanted": 0}, {"window_seconds": 0}])
def test_a_quota_of_nothing_is_refused(store: Store, wrong: dict[str, int]) -> None:
    with pytest.raises(StoreError):
        store.take_quota("ann", **{"quota": 5, "window_seconds": 60, "wanted": 1, **wrong})
