"""The laws of the live stream: nothing lost, nothing twice, nobody slowed."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.hub import Hub, HubUnavailable
from tests.event_source import EventSource
from tests.unit.feed.reading import read_all, read_once

SYMBOLS = ("BTC-USD", "ETH-USD")

published = st.tuples(st.just("publish"), st.sampled_from(SYMBOLS))
steps = st.lists(published | st.sampled_from([("read", ""), ("drop", ""), ("cut", "")]), max_size=80)


def reconnected(source: EventSource) -> EventSource:
    """The same client on a new connection: half an event is forgotten, as the specification says."""
    fresh = EventSource(source.last_event_id)
    fresh.heard = source.heard
    return fresh


@given(steps, st.sampled_from([None, frozenset({"BTC-USD"})]))
async def test_dropped_at_any_moment_a_client_hears_each_event_once_in_order(
    steps: list[tuple[str, str]], symbols: frozenset[str] | None
) -> None:
    """`read` takes all there is; `drop` reconnects; `cut` takes one write, loses a part of it, and reconnects."""
    hub, source, expected = Hub("e"), EventSource(), list[str]()
    subscription = hub.subscribe(symbols=symbols)
    await read_all(subscription, source)
    for number, (step, symbol) in enumerate(steps):
        if step == "publish":
            hub.publish("trade", "coinbase", symbol, str(number).encode())
            expected += [str(number)] * (symbols is None or symbol in symbols)
            continue
        if step == "read":
            await read_all(subscription, source)
            continue
        if step == "cut":
            source.feed((await read_once(subscription))[:-7])
        subscription.close()
        source = reconnected(source)
        subscription = hub.subscribe(symbols=symbols, last_event_id=source.last_event_id)
    await read_all(subscription, source)
    assert [event.data for event in source.heard] == expected


@dataclass(frozen=True)
class Step:
    """Publish one candle, or let the client read."""

    symbol: str
    closed: bool
    read: bool


@given(st.lists(st.builds(Step, st.sampled_from(SYMBOLS), st.booleans(), st.booleans()), max_size=80))
async def test_conflation_keeps_every_closed_candle_and_the_newest_of_every_open_one(steps: list[Step]) -> None:
    hub, source = Hub("e"), EventSource()
    subscription = hub.subscribe()
    for number, step in enumerate(steps):
        document = f"{step.symbol} {'closed' if step.closed else 'open'} {number}".encode()
        hub.publish("candle", "coinbase", step.symbol, document, conflation_key=None if step.closed else step.symbol)
        if step.read:
            await read_all(subscription, source)
    await read_all(subscription, source)
    heard = [event.data for event in source.heard]
    told = [f"{step.symbol} closed {number}" for number, step in enumerate(steps) if step.closed]
    assert [line for line in heard if "closed" in line] == told
    for symbol in SYMBOLS:
        states = [number for number, step in enumerate(steps) if step.symbol == symbol and not step.closed]
        seen = [int(line.split()[-1]) for line in heard if line.startswith(f"{symbol} open")]
        assert seen[-1:] == states[-1:]
        assert seen == sorted(set(seen))


async def test_what_a_client_has_not_read_of_an_open_candle_is_told_once() -> None:
    hub, source = Hub("e"), EventSource()
    subscription = hub.subscribe()
    for number in range(100):
        hub.publish("candle", "coinbase", "BTC-USD", str(number).encode(), conflation_key="BTC-USD 1m")
    await read_all(subscription, source)
    assert [event.data for event in source.heard] == ["99"]


@given(st.integers(1, 20), st.lists(st.sampled_from([None, "a", "b"]), max_size=200))
async def test_memory_is_bounded_however_much_is_published(events_max: int, keys: list[str | None]) -> None:
    hub = Hub("e", ring_events_max=events_max)
    hub.subscribe()
    for key in keys:
        hub.publish("candle", "coinbase", "BTC-USD", b"{}", conflation_key=key)
        assert hub.events_kept <= events_max


async def test_a_burst_reaches_a_waiting_client_as_one_write() -> None:
    hub = Hub("e")
    subscription = hub.subscribe()
    await read_once(subscription)
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    for number in range(10):
        hub.publish("trade", "coinbase", "BTC-USD", str(number).encode())
    source = EventSource()
    source.feed(await asyncio.wait_for(waiting, 5))
    assert [event.data for event in source.heard] == [str(number) for number in range(10)]


async def test_after_a_burst_the_next_one_is_held_and_told_together() -> None:
    hub = Hub("e", hold_seconds=0.02)
    subscription = hub.subscribe()
    await read_once(subscription)
    writes = []
    for number in range(3):
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        hub.publish("trade", "coinbase", "BTC-USD", str(number).encode())
        await asyncio.sleep(0)
        hub.publish("trade", "coinbase", "BTC-USD", str(number).encode())
        writes.append(EventSource().feed(await asyncio.wait_for(waiting, 5)))
    assert [len(write) for write in writes[1:]] == [2, 2]


async def test_clients_of_one_interest_get_the_very_same_bytes() -> None:
    hub = Hub("e")
    first, second = hub.subscribe(), hub.subscribe()
    await read_once(first)
    await read_once(second)
    hub.publish("trade", "coinbase", "BTC-USD", b"{}")
    assert (await read_once(first)) is (await read_once(second))


async def test_a_long_replay_comes_in_bounded_writes() -> None:
    hub = Hub("e", client_events_max=1)
    for number in range(1_000):
        hub.publish("trade", "coinbase", "BTC-USD", str(number).encode())
    subscription, source = hub.subscribe(last_event_id="e-0"), EventSource()
    while chunk := await read_once(subscription):
        assert len(source.feed(chunk)) <= 256
    assert [int(event.data) for event in source.heard] == list(range(1_000))


async def test_a_full_hub_takes_nobody_until_someone_leaves() -> None:
    hub = Hub("e", clients_max=1)
    subscription = hub.subscribe()
    with pytest.raises(HubUnavailable):
        hub.subscribe()
    subscription.close()
    hub.subscribe()
    assert hub.clients == 1


async def test_a_closed_hub_ends_all_streams_and_takes_nobody() -> None:
    hub = Hub("e")
    subscriptions = [hub.subscribe(), hub.subscribe("coinbase")]
    for subscription in subscriptions:
        await read_once(subscription)
    waiting = [asyncio.ensure_future(anext(subscription, b"the end")) for subscription in subscriptions]
    await asyncio.sleep(0)
    hub.close()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [b"the end", b"the end"]
    with pytest.raises(HubUnavailable):
        hub.subscribe()


async def test_a_new_kind_of_client_hears_what_old_kinds_hear() -> None:
    hub = Hub("e")
    hub.subscribe("coinbase")
    hub.publish("trade", "coinbase", "BTC-USD", b"1")
    source, late = EventSource(), hub.subscribe("coinbase", frozenset({"BTC-USD"}))
    hub.publish("trade", "coinbase", "BTC-USD", b"2")
    await read_all(late, source)
    assert [event.data for event in source.heard] == ["2"]


def test_publishing_needs_no_client_and_no_loop() -> None:
    hub = Hub("e")
    hub.publish("status", "coinbase", "", b"{}")
    assert hub.events_kept == 1


@given(st.lists(st.sampled_from(["publish", "read", "break", "renew"]), max_size=60))
async def test_a_stream_that_breaks_says_reset_to_every_client_and_loses_nothing_else(steps: list[str]) -> None:
    hub, source = Hub("e"), EventSource()
    subscription, owed, expected = hub.subscribe(), list[str](), list[str]()
    for number, step in enumerate(steps):
        if step == "publish":
            hub.publish("trade", "coinbase", "BTC-USD", str(number).encode())
            owed += [str(number)] * (owed[:1] != ["{}"])
        elif step == "read":
            await read_all(subscription, source)
            expected, owed = expected + owed, []
        else:
            hub.begin("e" if step == "break" and hub.epoch == "e" else f"e{number}", hub.head + 5)
            owed = ["{}"]
    await read_all(subscription, source)
    assert [event.data for event in source.heard] == expected + owed


async def test_until_it_was_told_of_a_break_a_client_has_the_place_of_before() -> None:
    hub, source = Hub("e"), EventSource()
    subscription = hub.subscribe()
    await read_all(subscription, source)
    hub.publish("trade", "coinbase", "BTC-USD", b"1")
    await read_all(subscription, source)
    hub.begin("f", 9)
    assert subscription.event_id == "e-1"
    await read_all(subscription, source)
    assert (subscription.event_id, source.last_event_id) == ("f-9", "f-9")


async def test_nobody_resumes_from_before_a_break() -> None:
    hub, source = Hub("e"), EventSource()
    hub.subscribe("coinbase")
    hub.publish("trade", "coinbase", "BTC-USD", b"1")
    hub.begin("e", 4)
    await read_all(hub.subscribe("coinbase", last_event_id="e-1"), source)
    assert [event.kind for event in source.heard] == ["reset"]
    resumed = EventSource()
    await read_all(hub.subscribe("coinbase", last_event_id="e-4"), resumed)
    assert not resumed.heard
