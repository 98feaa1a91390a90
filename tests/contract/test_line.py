"""What a line between feed and gateways means: within one process, and over a real Valkey or Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle

import pytest

from feed.hub import Hub
from feed.line import Line, OwnLine
from feed.shared_line import SharedLine
from tests.event_source import EventSource
from tests.redis_server import RedisServer, running_redis
from tests.unit.feed.reading import read_all

DEADLINE_SECONDS = 10


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@dataclass(frozen=True)
class Gateway:
    """A hub that clients are at, and the line that fills it."""

    hub: Hub
    line: Line

    async def hear(self, source: EventSource, *, symbols: frozenset[str] | None = None) -> EventSource:
        """All that a client hears that comes now, with its id if it has one, and goes."""
        event_id = source.last_event_id or None
        await self.line.reach(event_id)
        subscription = self.hub.subscribe(symbols=symbols, last_event_id=event_id)
        await read_all(subscription, source)
        subscription.close()
        return source


@dataclass
class Published:
    """A feed's end, and two gateways; within one process they are the same."""

    feed: Line
    gateways: tuple[Gateway, Gateway]

    async def publish(self, *numbers: int, symbol: str = "BTC-USD", key: str | None = None) -> None:
        """Publish, and wait until both gateways have it."""
        for number in numbers:
            self.feed.publish("candle", "coinbase", symbol, str(number).encode(), conflation_key=key)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._arrived():  # noqa: ASYNC110 - the server has no event to wait for
                await asyncio.sleep(0.005)

    def _arrived(self) -> bool:
        sent = self.feed.report()
        return sent["waiting"] == 0 and all(gateway.hub.head == sent["head"] for gateway in self.gateways)


class Ends:
    """Makes lines of one kind."""

    def __init__(self, url: str | None, standing: AsyncExitStack) -> None:
        self._url, self._standing = url, standing

    async def __call__(self, **limits: int) -> Published:
        if self._url is None:
            hub = Hub("e", **limits)
            own = OwnLine(hub)
            return Published(own, (Gateway(hub, own), Gateway(hub, own)))
        feed = SharedLine(self._url, Hub("unheard"))
        hubs = (Hub("", **limits), Hub("", **limits))
        gateways = [Gateway(hub, SharedLine(self._url, hub, listening=True)) for hub in hubs]
        for line in (feed, *(gateway.line for gateway in gateways)):
            self._standing.push_async_callback(line.close)
        for gateway in gateways:
            await gateway.line.reach(None)
        return Published(feed, (gateways[0], gateways[1]))


@pytest.fixture(params=["own", "shared"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    """Each kind of line in turn, with nothing published yet."""
    async with AsyncExitStack() as standing:
        if request.param == "own":
            yield Ends(None, standing)
            return
        server: RedisServer = request.getfixturevalue("server")
        server.forget()
        yield Ends(server.url, standing)


def data(source: EventSource) -> list[str]:
    return [event.data for event in source.heard]


def kinds(source: EventSource) -> list[str]:
    return [event.kind for event in source.heard]


async def test_every_gateway_tells_the_same_events_by_the_same_names(ends: Ends) -> None:
    line = await ends()
    starts = [EventSource() for _ in line.gateways]
    for gateway, source in zip(line.gateways, starts, strict=True):
        await gateway.hear(source)
    await line.publish(*range(20))
    for gateway, source in zip(line.gateways, starts, strict=True):
        await gateway.hear(source)
    assert data(starts[0]) == [str(number) for number in range(20)]
    assert starts[0].heard == starts[1].heard


async def test_a_client_that_goes_from_gateway_to_gateway_hears_each_event_once_in_order(ends: Ends) -> None:
    line, source = await ends(), EventSource()
    await line.gateways[0].hear(source)
    for number, gateway in zip(range(30), cycle(line.gateways), strict=False):
        await line.publish(10 * number, 10 * number + 1)
        await gateway.hear(source)
    assert data(source) == [str(10 * number + one) for number in range(30) for one in (0, 1)]


async def test_the_oldest_id_inside_the_window_resumes_anywhere_and_the_one_before_it_resets(ends: Ends) -> None:
    line = await ends(ring_events_max=2)
    source = await line.gateways[0].hear(EventSource())
    await line.publish(1)
    inside = EventSource((await line.gateways[0].hear(EventSource(source.last_event_id))).last_event_id)
    await line.publish(2, 3)
    assert data(await line.gateways[1].hear(inside)) == ["2", "3"]
    assert kinds(await line.gateways[1].hear(EventSource(source.last_event_id))) == ["reset"]


@pytest.mark.parametrize("stranger", ["earlier-1", "nonsense", "e-x"])
async def test_an_id_of_elsewhere_is_told_to_load_afresh_and_goes_on_from_here(ends: Ends, stranger: str) -> None:
    line = await ends()
    await line.publish(1)
    source = await line.gateways[0].hear(EventSource(stranger))
    await line.publish(2)
    await line.gateways[1].hear(source)
    assert (kinds(source), data(source)[1:]) == (["reset", "candle"], ["2"])


async def test_a_slow_reader_is_told_what_it_skips_dropped_and_hears_it_at_another_gateway(ends: Ends) -> None:
    line, source = await ends(client_events_max=3), EventSource()
    subscription = line.gateways[0].hub.subscribe()
    await read_all(subscription, source)
    await line.publish(1, 2, 3, 4)
    await read_all(subscription, source)
    assert kinds(source) == ["skipped"]
    assert set(json.loads(source.heard[0].data)) == {"from", "to"}
    assert line.gateways[0].hub.clients == 0
    assert data(await line.gateways[1].hear(source))[1:] == ["1", "2", "3", "4"]


async def test_of_an_open_candle_only_the_newest_state_is_told_and_every_closed_one_is(ends: Ends) -> None:
    line = await ends()
    source = await line.gateways[0].hear(EventSource())
    await line.publish(1, 2, key="open")
    await line.publish(3)
    await line.publish(4, 5, key="open")
    assert data(await line.gateways[1].hear(source)) == ["3", "5"]


async def test_who_wants_one_symbol_hears_no_other_and_may_resume_past_them(ends: Ends) -> None:
    line, btc = await ends(client_events_max=4), frozenset({"BTC-USD"})
    source = await line.gateways[0].hear(EventSource(), symbols=btc)
    await line.publish(*range(9), symbol="ETH-USD")
    await line.publish(7)
    assert data(await line.gateways[1].hear(source, symbols=btc)) == ["7"]


async def test_a_line_that_works_says_so_and_has_dropped_nothing(ends: Ends) -> None:
    line = await ends()
    await line.publish(1)
    for one in (line.feed, *(gateway.line for gateway in line.gateways)):
        assert (one.report()["state"], one.report()["dropped"]) == ("live", 0)
