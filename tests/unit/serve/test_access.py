"""Who may come in."""

import pytest
from marketdata.errors import SettingsInvalid, Unauthorized
from marketdata.serve.access import bearer_token, require_key


@pytest.mark.parametrize("presented", ["first", "second"])
def test_the_bearer_of_any_key_comes_in(presented: str) -> None:
    require_key(presented, ["first", "second"], setting="KEYS", open_without_keys=False)


@pytest.mark.parametrize("presented", [None, "", "third", "firs", "first ", "FIRST", "é"])
@pytest.mark.parametrize("at_home", [True, False])
def test_nobody_else_does_not_even_at_home(presented: str | None, at_home: bool) -> None:
    with pytest.raises(Unauthorized):
        require_key(presented, ["first", "second"], setting="KEYS", open_without_keys=at_home)


@pytest.mark.parametrize("presented", [None, "", "anything"])
def test_without_a_key_set_the_door_is_closed_and_says_which_setting(presented: str | None) -> None:
    with pytest.raises(SettingsInvalid, match="KEYS is not set"):
        require_key(presented, [], setting="KEYS", open_without_keys=False)


def test_without_a_key_set_ones_own_machine_is_open() -> None:
    require_key(None, [], setting="KEYS", open_without_keys=True)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer abc", "abc"), ("Basic abc", None), ("abc", None), ("", None), (None, None)],
)
def test_a_token_is_what_follows_bearer(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token
