"""What a batch of the shared ring looks like, and what is none."""

import pytest
from backports import zstd

from feed.ring import Event
from feed.shared_wire import batch_of, packed

EVENT = Event(7, "candle", "coinbase", "BTC-USD", b'{"close":"1.5"}', "open")


def entry(events: bytes, **fields: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    known = {b"epoch": b"e", b"first": b"12", b"events": events}
    return b"1-0", {**known, **{name.encode(): value for name, value in fields.items()}}


def test_a_batch_comes_back_as_it_was_sent_with_the_number_that_the_ring_gave_it() -> None:
    batch = batch_of(entry(packed([EVENT, EVENT])))
    assert (batch.epoch, batch.first, len(batch.events)) == ("e", 12, 2)
    sent = batch.events[0]
    assert (sent.kind, sent.exchange, sent.symbol, sent.document, sent.conflation_key) == (
        "candle",
        "coinbase",
        "BTC-USD",
        EVENT.encoded,
        "open",
    )


def test_candles_that_are_alike_pack_to_a_tenth() -> None:
    documents = [b'{"exchange":"coinbase","symbol":"BTC-USD","open_time":"2026-01-01T00:00:00Z","close":"%d"}' % number
                 for number in range(200)]  # fmt: skip
    events = [Event(number, "candle", "coinbase", "BTC-USD", one, None) for number, one in enumerate(documents)]
    assert len(packed(events)) < sum(map(len, documents)) / 10


@pytest.mark.parametrize(
    "wrong",
    [
        entry(b"nonsense"),
        entry(zstd.compress(b"nonsense")),
        entry(packed([EVENT])[:-3]),
        entry(packed([EVENT]), first=b"twelve"),
        entry(packed([Event(1, "gossip", "coinbase", "BTC-USD", b"{}", None)])),
        entry(zstd.compress(bytes(65_000_000))),
        (b"1-0", {}),
    ],
)
def test_what_no_feed_of_this_version_writes_is_refused(wrong: tuple[bytes, dict[bytes, bytes]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        batch_of(wrong)
