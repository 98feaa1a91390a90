"""Snapshots fetched from a server that speaks CoinGecko's protocol, by the job as it is scheduled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RemoteMalformed, SettingsInvalid
from marketdata.model.budget import Turn
from marketdata.model.snapshot import Snapshot
from marketdata.store.memory import MemoryStore
from marketdata.wiring import jobs, pasts

from local.exchanges.coingecko import KEYS, Troubles, coingecko_simulator
from local.exchanges.faults import Faults
from local.exchanges.server import Server
from local.exchanges.tape import Tape
from tests.functions.calls import settings
from tests.market import at

IDS = "BTC=bitcoin, ETH=ethereum"
HOURS = 30 * 24


class House:
    """A server, a store, and the job between them."""

    def __init__(self, server: Server, clock: FakeClock, faults: Faults, troubles: Troubles) -> None:
        self.server, self.clock, self.faults, self.troubles = server, clock, faults, troubles
        self.store: MemoryStore = MemoryStore(clock)

    async def run(self, **environment: str) -> dict[str, Any]:
        """The job, with a key, unless told otherwise."""
        given = {
            "COINGECKO_IDS": IDS,
            "COINGECKO_API_KEY": KEYS["demo"],
            "COINGECKO_REST_URL": self.server.url,
            "COINGECKO_REQUESTS_A_MINUTE": "6000",
            **environment,
        }
        job = jobs(settings(**given), self.store)["fetch_snapshots"]
        return await asyncio.to_thread(job, self.store, self.clock, self.clock.now() + timedelta(minutes=4))

    def held(self, asset: str = "BTC") -> list[Snapshot]:
        """All of one asset."""
        return self.store.snapshots("coingecko", asset, "USD", start=None, end=None, limit=10_000)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A server that is well."""
    clock, faults, troubles = FakeClock(at("12:00:30")), Faults(), Troubles()
    async with Server(coingecko_simulator(Tape(7), clock, faults, troubles=troubles)) as server:
        yield House(server, clock, faults, troubles)


async def test_without_coins_nothing_is_asked(house: House) -> None:
    house.faults.refuse_connections(rest_too=True)
    result = await house.run(COINGECKO_IDS="")
    assert (result["snapshots"], result["indexed"], result["stopped"]) == (0, 0, "")


async def test_a_new_asset_gets_a_month_of_index_prices_and_then_what_it_is_worth(house: House) -> None:
    result = await house.run()
    assert (result["snapshots"], result["waiting"], result["stopped"]) == (2, [], "")
    assert len(house.held()) == HOURS
    assert house.held()[-1].minute == at("12:00")


async def test_a_run_that_is_repeated_changes_no_row(house: House) -> None:
    await house.run()
    before = house.held()
    result = await house.run()
    assert (result["changed"], result["indexed"], result["snapshots"]) == (0, 0, 2)
    assert house.held() == before


async def test_the_next_run_adds_one_row_of_each_asset_and_one_after_an_outage_fills_the_hole(house: House) -> None:
    await house.run()
    house.clock.advance(timedelta(minutes=15))
    assert (await house.run())["changed"] == 2
    house.clock.advance(timedelta(hours=7))
    result = await house.run()
    assert result["indexed"] > 2 * 7 * 12
    minutes = [one.minute for one in house.held()]
    assert max(later - earlier for earlier, later in pairwise(minutes)) <= timedelta(hours=1)


async def test_an_asset_whose_index_prices_do_not_come_waits_so_that_its_hole_stays_seen(house: House) -> None:
    house.troubles.throttled = 1
    result = await house.run()
    assert (result["waiting"], result["snapshots"]) == (["BTC-USD", "ETH-USD"], 0)
    assert "429" in result["stopped"]
    assert house.held() == []
    limited = house.store.limited_exchanges()
    assert [one.exchange for one in limited] == ["coingecko"]
    house.clock.advance(timedelta(minutes=15))
    assert (await house.run())["snapshots"] == 2
    assert len(house.held()) == HOURS + 1


async def test_index_prices_that_cannot_be_read_do_not_keep_the_newest_out(house: House) -> None:
    house.troubles.garbled = 1
    result = await house.run()
    assert (result["malformed"], result["snapshots"], len(house.held())) == (1, 2, 1)
    assert len(house.held("ETH")) == HOURS


async def test_coins_without_a_price_are_named(house: House) -> None:
    house.troubles.priceless.add("ethereum")
    assert (await house.run())["absent"] == ["ETH-USD"]


async def test_a_wrong_key_fails_the_run_and_says_which_setting(house: House) -> None:
    with pytest.raises(RemoteMalformed, match="COINGECKO_API_KEY"):
        await house.run(COINGECKO_API_KEY="another-key")
    with pytest.raises(SettingsInvalid, match="COINGECKO_API_KEY"):
        await house.run(COINGECKO_PLAN="pro", COINGECKO_API_KEY="")


async def test_a_run_whose_time_is_over_stops(house: House) -> None:
    given = settings(COINGECKO_IDS=IDS, COINGECKO_REST_URL=house.server.url)
    job = jobs(given, house.store)["fetch_snapshots"]
    result = await asyncio.to_thread(job, house.store, house.clock, house.clock.now())
    assert (result["stopped"], result["waiting"]) == ("the time is over", ["BTC-USD", "ETH-USD"])


async def test_old_snapshots_are_forgotten(house: House) -> None:
    await house.run()
    house.clock.advance(timedelta(days=20))
    assert (await house.run(KEEP_SNAPSHOTS_DAYS="30", COINGECKO_IDS=""))["pruned"] == 2 * 20 * 24


def test_an_index_is_never_asked_to_fill_a_gap() -> None:
    assert pasts(settings(COINGECKO_IDS=IDS), MemoryStore())("coingecko") is None


class CountingStore(MemoryStore):
    """Remembers at which pace whose budget was asked."""

    paces: set[tuple[str, float]]

    def take_requests(
        self, exchange: str, *, per_second: float, burst: int, count: int = 1, wait_seconds_max: float = 30.0
    ) -> Turn:
        self.paces = {*getattr(self, "paces", ()), (exchange, per_second)}
        return super().take_requests(
            exchange, per_second=per_second, burst=burst, count=count, wait_seconds_max=wait_seconds_max
        )


@pytest.mark.parametrize(("minute", "second"), [("6000", 100.0), ("1200", 20.0)])
async def test_all_ask_from_one_budget_at_the_pace_that_is_set(house: House, minute: str, second: float) -> None:
    house.store = CountingStore(house.clock)
    await house.run(COINGECKO_REQUESTS_A_MINUTE=minute)
    assert isinstance(house.store, CountingStore)
    assert house.store.paces == {("coingecko", second)}
