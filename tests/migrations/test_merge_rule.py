"""The merge rule in the database: whatever the order of reports, one state; and its twin in Python says the same."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import reduce

import pytest
from marketdata.compute.merge import merge
from marketdata.model.candle import Candle, Source
from marketdata.model.times import EPOCH

from tests.migrations.database import START, Database, minute

SCENARIOS = 150
INTERLEAVINGS = 8


def reports(chance: random.Random, index: int) -> list[Candle]:
    """What several feeds, repairs and operators say of one minute: few values, so that they often tie."""
    return [report(chance, index) for _ in range(chance.randint(1, 6))]


def report(chance: random.Random, index: int) -> Candle:
    price = [Decimal(chance.randint(98, 102)) for _ in range(2)]
    volume = Decimal(chance.randint(2, 4))
    first_id = chance.choice([None, 7, 8])
    return minute(
        index,
        open=price[0],
        close=price[1],
        high=max(price) + chance.randint(0, 1),
        low=min(price) - chance.randint(0, 1),
        volume=volume,
        quote_volume=chance.choice([None, volume * 100]),
        taker_buy_volume=chance.choice([None, volume / 2]),
        trades=chance.choice([None, 3, 4]),
        first_id=first_id,
        last_id=chance.choice([None, 8, 9]),
        source=chance.choice([Source.PARTIAL, Source.PARTIAL, Source.LIVE, Source.VENUE, Source.MANUAL]),
        observed_at=chance.choice([EPOCH, EPOCH, START, START + timedelta(minutes=1)]),
        revision=chance.randint(1, 99),
    )


def interleaved(chance: random.Random, said: Sequence[Candle]) -> list[Candle]:
    """The same reports in any order, some of them more than once."""
    again = [*said, *chance.choices(said, k=3)]
    chance.shuffle(again)
    return again


def rounds(sequences: Sequence[Sequence[Candle]]) -> Iterator[list[Candle]]:
    """The first report of every minute, then the second of every minute, and so on: a statement each."""
    for turn in range(max(map(len, sequences))):
        yield [sequence[turn] for sequence in sequences if turn < len(sequence)]


def but_revision(candles: Sequence[Candle]) -> list[Candle]:
    return [replace(candle, revision=0) for candle in candles]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_of_reports_with_any_repetition_gives_one_state_which_is_its_twins(
    market: Database, seed: int
) -> None:
    chance = random.Random(seed)
    said = [reports(chance, index) for index in range(SCENARIOS)]
    expected = but_revision([reduce(merge, one) for one in said])
    for interleaving in range(INTERLEAVINGS):
        market.run("delete from candles")
        for batch in rounds([interleaved(chance, one) for one in said]):
            market.put(batch)
        assert but_revision(market.candles()) == expected, f"seed {seed}, interleaving {interleaving}"


def test_a_revision_counts_the_changes_and_nothing_else(market: Database) -> None:
    chance = random.Random(4)
    said = [interleaved(chance, reports(chance, index)) for index in range(SCENARIOS)]
    for batch in rounds(said):
        market.put(batch)
    expected = [reduce(merge, one[1:], replace(one[0], revision=1)).revision for one in said]
    assert [candle.revision for candle in market.candles()] == expected
    assert max(expected) > 2


def test_what_is_said_again_writes_nothing_and_queues_nothing(market: Database) -> None:
    candles = [minute(index) for index in range(200)]
    assert market.put(candles) == 200
    assert market.drain() == 1
    before = market.rows("select ctid, xmin, * from candles order by 1, open_time")
    assert market.put(candles) == 0
    assert market.queued() == 0
    assert market.rows("select ctid, xmin, * from candles order by 1, open_time") == before
    assert market.put([*candles[:3], minute(3, high=Decimal(1000))]) == 1
    assert market.queued() == 1


def test_equal_numbers_with_other_zeros_are_no_change(market: Database) -> None:
    market.put([minute(0, volume=Decimal("2.50"))])
    assert market.put([minute(0, volume=Decimal("2.5000"))]) == 0


@pytest.mark.parametrize("lower", list(Source))
def test_a_row_never_replaces_one_of_a_higher_rank(market: Database, lower: Source) -> None:
    for higher in [rank for rank in Source if rank > lower]:
        market.run("delete from candles")
        best = minute(0, source=higher)
        market.put([best])
        market.put([minute(1, source=lower), minute(0, START, close=best.low, source=lower, observed_at=START)])
        assert market.candles()[0] == replace(best, revision=1)


def test_within_a_rank_the_newer_observation_wins_whole(market: Database) -> None:
    first = minute(0, source=Source.VENUE, observed_at=START, volume=Decimal(9))
    second = minute(0, source=Source.VENUE, observed_at=START + timedelta(seconds=1), volume=Decimal(8), trades=None)
    for order in ([first, second], [second, first]):
        market.run("delete from candles")
        for candle in order:
            market.put([candle])
        assert but_revision(market.candles()) == but_revision([second])


def test_what_two_feeds_saw_of_a_minute_joins_to_what_both_saw(market: Database) -> None:
    early = minute(0, source=Source.PARTIAL, open=Decimal(100), first_id=5, close=Decimal(101), last_id=8)
    early = replace(early, high=Decimal(103), low=Decimal(100), volume=Decimal(4), trades=3, quote_volume=None)
    late = replace(early, open=Decimal(101), first_id=8, close=Decimal(99), last_id=9, low=Decimal(98))
    late = replace(late, high=Decimal(101), volume=Decimal(3), trades=None, quote_volume=Decimal(300))
    market.put([late])
    market.put([early])
    joined = replace(early, close=Decimal(99), last_id=9, low=Decimal(98), quote_volume=Decimal(300), revision=2)
    assert market.candles() == [joined]


def test_a_report_wins_over_an_equally_ranked_rollup_and_a_rollup_over_a_rollup(market: Database) -> None:
    rolled, reported = minute(0), minute(0, close=minute(0).low)
    market.put([rolled], derived=True)
    market.put([reported])
    market.put([rolled], derived=True)
    assert but_revision(market.candles()) == but_revision([reported])
    market.run("delete from candles")
    market.put([rolled], derived=True)
    lower = minute(0, source=Source.PARTIAL)
    market.put([lower], derived=True)
    assert but_revision(market.candles()) == but_revision([lower])


def test_a_candle_does_not_move(market: Database) -> None:
    market.put([minute(0)])
    with pytest.raises(Exception, match="a candle keeps its instrument, timeframe and open time"):
        market.run("update candles set open_time = open_time + interval '1 minute'")
