"""What only a shared ring can suffer: a server that is away, forgets or falls back, and feeds that publish at once."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing

import pytest
import redis

from feed.hub import Hub, HubUnavailable
from feed.shared_line import SharedLine
from feed.shared_wire import APPEND, EVENTS, HEAD, packed, publisher_key
from feed.subscription import Subscription
from tests.event_source import EventSource
from tests.redis_server import RedisServer, running_redis
from tests.unit.feed.reading import read_all

DEADLINE_SECONDS = 10


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


class Ends:
    """Makes ends of one ring, and hangs them up afterwards."""

    def __init__(self, server: RedisServer, standing: AsyncExitStack) -> None:
        self._server, self._standing = server, standing

    def feed(self, *, waiting_max: int = 1_000) -> SharedLine:
        return self._kept(
            SharedLine(self._server.url, Hub("unheard"), waiting_max=waiting_max, backoff_seconds_max=0.1)
        )

    def gateway(self) -> tuple[Hub, SharedLine]:
        hub = Hub("")
        line = SharedLine(
            self._server.url, hub, listening=True, backoff_seconds_max=0.1, reach_seconds_max=DEADLINE_SECONDS
        )
        return hub, self._kept(line)

    def _kept(self, line: SharedLine) -> SharedLine:
        self._standing.push_async_callback(line.close)
        return line


@pytest.fixture
async def ends(server: RedisServer) -> AsyncIterator[Ends]:
    async with AsyncExitStack() as standing:
        yield Ends(server, standing)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.005)


async def publish(line: SharedLine, *numbers: int) -> None:
    """And wait until the server has them."""
    for number in numbers:
        line.publish("candle", "coinbase", "BTC-USD", str(number).encode())
    await until(lambda: line.report()["waiting"] == 0)


class Client:
    """Hears all that one gateway tells, on one connection."""

    def __init__(self, hub: Hub, last_event_id: str | None = None) -> None:
        self.source = EventSource(last_event_id or "")
        self.subscription: Subscription = hub.subscribe(last_event_id=last_event_id)

    async def hear(self, *wanted: str) -> None:
        """Until it heard these, in order, and nothing else."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await read_all(self.subscription, self.source)
            while self.heard() != list(wanted):
                assert len(self.source.heard) < len(wanted), self.heard()
                self.source.feed(await anext(self.subscription))

    async def hear_until(self, wanted: str) -> None:
        """Until this is the newest that it heard."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.heard()[-1:] != [wanted]:
                self.source.feed(await anext(self.subscription))

    def heard(self) -> list[str]:
        return [event.data if event.kind == "candle" else event.kind for event in self.source.heard]


async def test_feeds_that_publish_at_once_get_one_order_without_holes(ends: Ends) -> None:
    feeds, (hub, line) = [ends.feed() for _ in range(3)], ends.gateway()
    await line.reach(None)
    client = Client(hub)
    for number in range(200):
        for feed in feeds:
            feed.publish("candle", "coinbase", f"S{feeds.index(feed)}", str(number).encode())
    await until(lambda: hub.head == 600)
    await read_all(client.subscription, client.source)
    ids = [int(event.event_id.rpartition("-")[2]) for event in client.source.heard]
    assert ids == list(range(1, 601))
    assert sorted(map(int, client.heard())) == sorted(3 * list(range(200)))
    assert line.report()["breaks"] == 0


async def test_a_gateway_that_starts_later_serves_what_was_published_before(ends: Ends) -> None:
    feed = ends.feed()
    await publish(feed, *range(700))
    hub, line = ends.gateway()
    await line.reach(None)
    client = Client(hub, f"{hub.epoch}-695")
    await client.hear("695", "696", "697", "698", "699")


async def test_an_id_from_a_gateway_that_is_ahead_is_waited_for_and_not_reset(ends: Ends) -> None:
    feed, (hub, line) = ends.feed(), ends.gateway()
    await line.reach(None)
    coming = asyncio.ensure_future(line.reach(f"{hub.epoch}-2"))
    await publish(feed, 1, 2, 3)
    await coming
    client = Client(hub, f"{hub.epoch}-2")
    await client.hear("3")


async def test_what_fell_out_of_the_ring_is_reset_and_the_id_just_before_the_rest_resumes(
    ends: Ends, server: RedisServer
) -> None:
    feed = ends.feed()
    for number in range(1, 5):
        await publish(feed, number)
    with closing(redis.Redis.from_url(server.url)) as admin:
        admin.xtrim(EVENTS, maxlen=2, approximate=False)
    hub, line = ends.gateway()
    await line.reach(None)
    await Client(hub, f"{hub.epoch}-2").hear("3", "4")
    await Client(hub, f"{hub.epoch}-1").hear("reset")


async def test_a_batch_whose_answer_was_lost_is_sent_again_and_counts_once(ends: Ends, server: RedisServer) -> None:
    (hub, line), batch = ends.gateway(), packed([])
    await line.reach(None)
    keys = [EVENTS, HEAD, publisher_key("one")]
    with closing(redis.Redis.from_url(server.url)) as admin:
        script = admin.register_script(APPEND)
        arguments: list[str | int | bytes] = [secrets.token_hex(4), "", 0, 1, 2, 0, batch, 100, 900]
        first, again = script(keys=keys, args=arguments), script(keys=keys, args=arguments)
        assert first == again == [hub.epoch.encode(), 2]
        assert admin.xlen(EVENTS) == 1


async def test_a_server_that_is_away_slows_nobody_and_what_had_no_room_is_told_as_a_reset(
    ends: Ends, server: RedisServer
) -> None:
    feed, (hub, line) = ends.feed(waiting_max=10), ends.gateway()
    await line.reach(None)
    client = Client(hub)
    await publish(feed, 1)
    await client.hear("1")
    server.stop()
    await until(lambda: line.report()["state"] == "connecting")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(1_000):
        feed.publish("candle", "coinbase", "BTC-USD", str(number).encode())
    assert loop.time() - begun < 1
    assert int(str(feed.report()["dropped"])) >= 980
    server.start_again()
    await until(lambda: feed.report()["waiting"] == 0)
    assert client.heard() == ["1"]
    await client.hear_until("reset")
    await until(lambda: line.report()["state"] == "live" and hub.head == feed.report()["head"])
    await read_all(client.subscription, client.source)
    await publish(feed, 2)
    await client.hear_until("2")
    assert client.heard()[1] == "reset"
    assert set(client.heard()[1:-1]) <= {"reset", *map(str, range(990, 1_000))}


async def test_what_had_no_room_is_a_loss_of_the_same_stream_where_the_server_lost_nothing(
    ends: Ends, server: RedisServer
) -> None:
    feed, (hub, line) = ends.feed(waiting_max=10), ends.gateway()
    await line.reach(None)
    client, epoch = Client(hub), hub.epoch
    await publish(feed, 1)
    await client.hear("1")
    server.pause()
    for number in range(100):
        feed.publish("candle", "coinbase", "BTC-USD", str(number).encode())
    server.go_on()
    await client.hear_until("reset")
    await until(lambda: feed.report()["waiting"] == 0)
    assert hub.epoch == epoch
    resumed = Client(hub, f"{epoch}-1")
    await resumed.hear("reset")


async def test_of_what_waits_for_the_server_only_the_newest_state_of_an_open_candle_is_kept(
    ends: Ends, server: RedisServer
) -> None:
    feed, (hub, line) = ends.feed(waiting_max=10), ends.gateway()
    await line.reach(None)
    client = Client(hub)
    server.stop()
    await publish_away(feed, 500)
    server.start_again()
    await until(lambda: feed.report()["waiting"] == 0)
    assert feed.report()["dropped"] == 0
    assert int(str(feed.report()["head"])) <= 2  # the one that was on its way as the server went, and the newest
    await client.hear_until("reset")


async def publish_away(feed: SharedLine, count: int) -> None:
    for number in range(count):
        feed.publish("candle", "coinbase", "BTC-USD", str(number).encode(), conflation_key="open")
        await asyncio.sleep(0)


async def test_a_server_that_is_full_keeps_a_shorter_window_and_goes_on(ends: Ends, server: RedisServer) -> None:
    with closing(redis.Redis.from_url(server.url)) as admin:
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", int(admin.info("memory")["used_memory"]) + 2_000_000)
        feed = ends.feed()
        for _ in range(60):
            feed.publish("candle", "coinbase", "BTC-USD", secrets.token_hex(50_000).encode())
            await until(lambda: feed.report()["waiting"] == 0)
        assert admin.xlen(EVENTS) < 60
    hub, line = ends.gateway()
    await line.reach(None)
    assert (hub.head, feed.report()["dropped"]) == (60, 0)
    await Client(hub, f"{hub.epoch}-60").hear()
    await Client(hub, f"{hub.epoch}-1").hear("reset")


async def test_a_server_that_forgot_everything_begins_a_new_stream_and_says_reset(
    ends: Ends, server: RedisServer
) -> None:
    feed, (hub, line) = ends.feed(), ends.gateway()
    await line.reach(None)
    client, old = Client(hub), hub.epoch
    await publish(feed, 1)
    await client.hear("1")
    server.forget()
    await publish(feed, 2)
    await client.hear("1", "reset")
    await publish(feed, 3)
    await client.hear("1", "reset", "3")
    assert hub.epoch != old
    await Client(hub, f"{old}-1").hear("reset")


async def test_a_server_that_fell_back_gives_no_number_twice(ends: Ends, server: RedisServer) -> None:
    """As after a failover to a replica that had not got the newest batches."""
    feed, (hub, line) = ends.feed(), ends.gateway()
    await line.reach(None)
    client, old = Client(hub), hub.epoch
    for number in (1, 2, 3):
        await publish(feed, number)
    await client.hear("1", "2", "3")
    with closing(redis.Redis.from_url(server.url)) as admin:
        admin.hset(HEAD, "sequence", 1)
    await publish(feed, 4)
    await client.hear("1", "2", "3", "reset")
    await publish(feed, 5)
    await client.hear("1", "2", "3", "reset", "5")
    assert hub.epoch != old


async def test_a_batch_that_cannot_be_read_is_a_loss_and_not_the_end(ends: Ends, server: RedisServer) -> None:
    feed, (hub, line) = ends.feed(), ends.gateway()
    await line.reach(None)
    client = Client(hub)
    await publish(feed, 1)
    await client.hear("1")
    with closing(redis.Redis.from_url(server.url)) as admin:
        admin.hincrby(HEAD, "sequence", 1)
        admin.xadd(EVENTS, {"epoch": hub.epoch, "first": 2, "events": b"of the future"})
    await publish(feed, 3)
    await client.hear("1", "reset")
    await publish(feed, 4)
    await client.hear("1", "reset", "4")


async def test_a_client_that_comes_while_the_server_is_away_is_told_to_come_back(server: RedisServer) -> None:
    server.stop()
    hub = Hub("")
    line = SharedLine(server.url, hub, reach_seconds_max=0.2, backoff_seconds_max=0.05)
    with pytest.raises(HubUnavailable):
        await line.reach(None)
    assert line.report()["state"] == "connecting"
    server.start_again()
    await until(lambda: line.report()["state"] == "live")
    await line.reach(None)
    await line.close()


async def test_a_feed_reads_nothing_until_somebody_asks_it_for_the_stream(ends: Ends, server: RedisServer) -> None:
    hub = Hub("own")
    asked, other = SharedLine(server.url, hub), ends.feed()
    await publish(other, 1)
    assert (asked.report()["state"], hub.epoch) == ("live", "own")
    await asked.reach(None)
    assert hub.head == 1
    await asked.close()
