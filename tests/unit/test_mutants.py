"""The list of planted bugs fits the code that it changes; that each is caught is shown by `make mutants`."""

from pathlib import Path

import pytest

from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_changes_one_place_of_the_code_and_names_tests_that_exist(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    assert mutant.planted(text) != text
    assert mutant.tests
    assert all((ROOT / test.partition("::")[0]).exists() for test in mutant.tests)


@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS if one.file.endswith(".sql")], ids=lambda mutant: mutant.name
)
def test_a_bug_in_the_database_is_planted_where_it_is_not_replaced_by_a_later_migration(mutant: Mutant) -> None:
    later = [one for one in sorted((ROOT / "migrations").glob("*.sql")) if one.name > Path(mutant.file).name]
    assert [one.name for one in later if mutant.before in one.read_text()] == []


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 30


@pytest.mark.parametrize("text", ["", "abab"])
def test_a_text_that_is_not_there_once_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"has the text (0|2) times"):
        Mutant("m", "f", "ab", "c", ()).planted(text)
