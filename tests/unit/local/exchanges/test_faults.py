from datetime import timedelta

import pytest

from local.exchanges.faults import MALFORMED, Fault, Faults


def struck(faults: Faults, fault: Fault, connection: int = 1) -> set[int]:
    return {trade_id for trade_id in range(10_000) if faults.strikes(fault, connection, "BTC-USD", trade_id)}


def test_a_healthy_exchange_strikes_nothing() -> None:
    assert all(struck(Faults(), fault) == set() for fault in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_strikes_its_share_of_the_trades(fault: Fault) -> None:
    faults = Faults(seed=3)
    faults.drop_matches(0.1)
    faults.duplicate_matches(0.1)
    faults.hold_back_matches(0.1, timedelta(seconds=1))
    assert 900 < len(struck(faults, fault)) < 1100


def test_one_seed_strikes_the_same_trades_and_another_connection_loses_others() -> None:
    faults, again = Faults(seed=3), Faults(seed=3)
    faults.drop_matches(0.1)
    again.drop_matches(0.1)
    assert struck(faults, Fault.DROP) == struck(again, Fault.DROP)
    assert struck(faults, Fault.DROP) != struck(faults, Fault.DROP, connection=2)


def test_a_mute_product_is_mute_alone_and_its_heartbeats_only_if_asked() -> None:
    faults = Faults()
    faults.mute("BTC-USD")
    faults.mute("ETH-USD", heartbeats_too=True)
    assert [faults.mutes_trades(symbol) for symbol in ("BTC-USD", "ETH-USD", "SOL-USD")] == [True, True, False]
    assert [faults.mutes_heartbeats(symbol) for symbol in ("BTC-USD", "ETH-USD", "SOL-USD")] == [False, True, False]


def test_what_happens_once_is_used_up_by_asking() -> None:
    faults = Faults()
    faults.cut_connections()
    faults.inject("{}")
    faults.inject_malformed()
    assert (faults.take_cut(), faults.take_cut()) == (True, False)
    assert (faults.take_injected(), faults.take_injected()) == (["{}", MALFORMED], [])


def test_healing_ends_every_lasting_fault() -> None:
    faults = Faults()
    faults.drop_matches(1.0)
    faults.mute("BTC-USD")
    faults.fall_silent()
    faults.refuse_connections(rest_too=True)
    faults.add_unknowns()
    faults.heal()
    assert struck(faults, Fault.DROP) == set()
    assert not faults.mutes_trades("BTC-USD")
    assert not (faults.silent)
    assert not (faults.refusing)
    assert not (faults.refusing_rest)
    assert not (faults.unknowns)
