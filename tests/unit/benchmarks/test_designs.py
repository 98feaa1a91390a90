"""What the benchmarks compare is comparable: one tape, and the same candles from every design."""

from dataclasses import replace

import msgspec
import pytest

from benchmarks.candles import count_differences, reference_candles
from benchmarks.hot_path import CandleDesign
from benchmarks.plain_port import PlainPort
from benchmarks.production_path import DecodeAndBars, Follower, WholeStream
from benchmarks.tape import Tape, invent_tape

MESSAGES, PORTIONS = 3_000, 2
PORTION_FRAMES = MESSAGES // PORTIONS


@pytest.fixture(scope="module")
def tape() -> Tape:
    return invent_tape(products=4, messages=MESSAGES)


def designs(tape: Tape) -> list[CandleDesign]:
    return [
        DecodeAndBars("exchange", tape, portion_frames=PORTION_FRAMES),
        DecodeAndBars("advanced", tape, portion_frames=PORTION_FRAMES, advanced=True),
        Follower("follower", tape, portion_frames=PORTION_FRAMES),
        WholeStream("stream", tape, portion_frames=PORTION_FRAMES),
        PlainPort("plain", tape, portion_frames=PORTION_FRAMES),
    ]


def test_every_design_makes_the_exact_candles_of_the_tape(tape: Tape) -> None:
    reference = reference_candles(tape.trades)
    assert len(reference) > 200
    for design in designs(tape):
        for portion in range(PORTIONS):
            design.work(portion)
        candles = design.candles()
        design.close()
        assert candles is not None
        assert count_differences(candles, reference) == 0, design.name


def test_only_the_first_and_the_last_candle_of_a_product_stay_unproven(tape: Tape) -> None:
    ours = DecodeAndBars("ours", tape, portion_frames=MESSAGES)
    ours.work(0)
    assert ours.unproven() == 2 * len(tape.symbols)


def test_a_wrong_a_missing_and_an_invented_candle_are_each_counted(tape: Tape) -> None:
    reference = reference_candles(tape.trades)
    found = dict(reference)
    wrong, missing, *_ = found
    found[wrong] = replace(found[wrong], close=found[wrong].close + 1)
    del found[missing]
    found["NONE-USD", 0] = found[wrong]
    assert count_differences(found, reference) == 3


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one, again, other = (invent_tape(products=2, messages=50, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.matches != other.matches


def test_frames_look_like_those_of_the_exchange(tape: Tape) -> None:
    assert 270 < tape.frame_bytes_mean < 295
    assert list(msgspec.json.decode(tape.matches[0])) == [
        "type",
        "trade_id",
        "maker_order_id",
        "taker_order_id",
        "side",
        "size",
        "price",
        "product_id",
        "sequence",
        "time",
    ]
