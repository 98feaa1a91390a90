"""The store that a command talks to: the environment's, else that of the house put up last from this folder."""

import os
from pathlib import Path

from marketdata.settings import settings_from
from marketdata.store.store import Store
from marketdata.wiring import store_from

from local.secrets_file import read_environment_file

CURRENT = Path("data/current.env")
"""Written by `marketdata up`."""


def house_environment() -> dict[str, str]:
    """The environment, over what the house put up last from this folder says."""
    return {**read_environment_file(CURRENT), **os.environ}


def house_store() -> Store:
    """That store. Raises: SettingsInvalid naming what is not set."""
    return store_from(settings_from(house_environment()))
