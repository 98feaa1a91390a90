"""The law of a simulated house: when faults have stopped, what is stored is what was traded, or the ledger says so."""

from dataclasses import replace

import pytest

from tests.simulation.__main__ import main
from tests.simulation.configurations import CONFIGURATIONS, setup
from tests.simulation.faults import Kind, plan
from tests.simulation.simulation import Setup, simulate

pytestmark = pytest.mark.slow


def test_one_seed_has_one_history() -> None:
    first, again, other = (simulate(setup(seed, 1.0, "two")).fingerprint for seed in (4, 4, 5))
    assert first == again
    assert first != other


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_law_holds_in_every_house(configuration: str) -> None:
    outcome = simulate(setup(21, 6.0, configuration))
    assert outcome.broken == []
    assert outcome.strikes > 10
    assert outcome.looks > 60


def test_without_faults_every_minute_is_proven_or_empty_and_nothing_is_asked_twice() -> None:
    outcome = simulate(Setup(1, 2.0, kinds=frozenset()))
    assert outcome.broken == []
    assert outcome.verdict.proven + outcome.verdict.empty == outcome.verdict.minutes
    assert outcome.counts["feed starts"] == outcome.counts["connected"] == 1
    # The beginning of the first minute of each of three symbols.
    assert outcome.counts["request"] <= 3


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.BURST, Kind.SKIP, Kind.ZOMBIE}))
def test_each_fault_alone_leaves_its_trace_and_loses_nothing(kind: Kind) -> None:
    seed = next(seed for seed in range(100) if has_early(seed, kind))
    outcome = simulate(replace(setup(seed, 3.0, "one"), kinds=frozenset({kind})))
    assert outcome.counts[f"fault: {kind}"] > 0
    assert outcome.broken == []


def has_early(seed: int, kind: Kind) -> bool:
    """Whether that seed has such a fault early enough."""
    return any(strike.at < 1.5 * 3600 for strike in plan(seed, 3.0, {kind}))


def test_what_is_missing_without_any_repair_is_named_minute_by_minute() -> None:
    outcome = simulate(setup(21, 6.0, "bare"))
    assert outcome.broken == []
    assert 0 < outcome.verdict.named < outcome.verdict.minutes / 2


def test_seeds_in_two_processes_end_in_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "4", "--first", "100", "--hours", "24"]) == 0
    assert "4 seeds, 96 simulated hours" in capsys.readouterr().out
