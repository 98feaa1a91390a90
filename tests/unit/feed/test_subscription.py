"""A client that comes back, one that is too slow, and one that is sent away."""

import asyncio
import json

import pytest

from feed.hub import Hub
from tests.event_source import EventSource
from tests.unit.feed.reading import read_all, read_once


def publish(hub: Hub, *numbers: int, symbol: str = "BTC-USD") -> None:
    for number in numbers:
        hub.publish("trade", "coinbase", symbol, str(number).encode())


async def hear(hub: Hub, last_event_id: str | None = None) -> EventSource:
    """What a client hears that comes now and takes all there is."""
    source = EventSource()
    subscription = hub.subscribe(last_event_id=last_event_id)
    await read_all(subscription, source)
    subscription.close()
    return source


def data(source: EventSource) -> list[str]:
    return [event.data for event in source.heard]


async def test_a_new_client_hears_what_happens_from_now_on() -> None:
    hub = Hub("e")
    publish(hub, 1)
    source, subscription = EventSource(), hub.subscribe()
    publish(hub, 2)
    await read_all(subscription, source)
    assert data(source) == ["2"]


async def test_a_client_cut_off_before_its_first_event_misses_nothing() -> None:
    hub = Hub("e")
    publish(hub, 1)
    first = await hear(hub)
    publish(hub, 2)
    assert data(await hear(hub, first.last_event_id)) == ["2"]


@pytest.mark.parametrize("stranger", ["earlier-1", "nonsense", "e-", "e-99", "e-x"])
async def test_an_id_of_another_epoch_is_told_to_load_afresh(stranger: str) -> None:
    hub = Hub("e")
    publish(hub, 1)
    assert [event.kind for event in (await hear(hub, stranger)).heard] == ["reset"]


async def test_after_a_reset_the_client_has_a_place_to_resume_from() -> None:
    hub = Hub("e")
    publish(hub, 1)
    source = await hear(hub, "earlier-7")
    publish(hub, 2)
    assert data(await hear(hub, source.last_event_id)) == ["2"]


async def test_the_oldest_id_inside_the_window_resumes_and_the_one_before_it_resets() -> None:
    hub = Hub("e", ring_events_max=2)
    publish(hub, 1, 2, 3)
    assert data(await hear(hub, "e-1")) == ["2", "3"]
    assert [event.kind for event in (await hear(hub, "e-0")).heard] == ["reset"]


async def test_a_slow_reader_is_told_what_it_skips_and_dropped() -> None:
    hub = Hub("e", client_events_max=3)
    source, subscription = EventSource(), hub.subscribe()
    await read_all(subscription, source)
    publish(hub, 1, 2, 3, 4)
    await read_all(subscription, source)
    assert [event.kind for event in source.heard] == ["skipped"]
    assert json.loads(source.heard[0].data) == {"from": "e-1", "to": "e-4"}
    assert source.last_event_id == "e-0"
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)
    assert hub.clients == 0


async def test_a_reader_at_its_limit_is_not_slow() -> None:
    hub = Hub("e", client_events_max=3)
    source, subscription = EventSource(), hub.subscribe()
    publish(hub, 1, 2, 3)
    await read_all(subscription, source)
    assert data(source) == ["1", "2", "3"]


async def test_a_dropped_reader_that_comes_back_hears_what_it_skipped() -> None:
    hub = Hub("e", client_events_max=3)
    source, subscription = EventSource(), hub.subscribe()
    publish(hub, 1, 2, 3, 4)
    await read_all(subscription, source)
    assert data(await hear(hub, source.last_event_id)) == ["1", "2", "3", "4"]


async def test_a_reader_whose_events_fell_out_of_the_ring_is_dropped() -> None:
    hub = Hub("e", ring_events_max=2)
    source, subscription = EventSource(), hub.subscribe()
    publish(hub, 1, 2, 3)
    await read_all(subscription, source)
    assert [event.kind for event in source.heard] == ["skipped"]


async def test_the_market_of_others_makes_nobody_slow_and_moves_the_place_to_resume_from() -> None:
    hub = Hub("e", ring_events_max=4, client_events_max=2)
    source, subscription = EventSource(), hub.subscribe(symbols=frozenset({"BTC-USD"}))
    await read_all(subscription, source)
    publish(hub, *range(20), symbol="ETH-USD")
    assert subscription.event_id == "e-20"
    publish(hub, 7)
    await read_all(subscription, source)
    assert data(source) == ["7"]


async def test_the_place_to_resume_from_waits_for_what_is_unread() -> None:
    hub = Hub("e")
    subscription = hub.subscribe()
    publish(hub, 1)
    assert subscription.event_id == "e-0"


async def test_closing_ends_the_stream_of_one_who_waits() -> None:
    hub = Hub("e")
    subscription = hub.subscribe()
    await read_once(subscription)
    waiting = asyncio.ensure_future(anext(subscription, b"the end"))
    await asyncio.sleep(0)
    subscription.close()
    assert await asyncio.wait_for(waiting, 5) == b"the end"


async def test_a_stream_can_be_closed_twice() -> None:
    hub = Hub("e")
    subscription = hub.subscribe()
    subscription.close()
    subscription.close()
    assert hub.clients == 0
