"""How large what is shipped is: the table of docs/performance.md, and the bound that Lambda sets.

python -m infra.sizes
"""

import io
import sys
import zipfile
from pathlib import Path

from infra import bundle
from infra.catalog import FUNCTIONS
from infra.needs import NEEDS

UNPACKED_BYTES_MAX = 250 * 1024 * 1024
"""Of a function and its layers together. Source: Lambda quotas, docs.aws.amazon.com/lambda."""

MEGABYTE = 1_000_000


def unpacked_bytes(folder: Path) -> int:
    """Of all its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def zipped_bytes(folder: Path) -> int:
    """Of the archive that is uploaded."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder))
    return archive.tell()


def layers() -> dict[str, Path]:
    """Every layer that some function has, by name."""
    names = {"vendor", *(name for needs in NEEDS.values() for name in needs.layers)}
    return {"marketdata": bundle.library_layer(), **{name: bundle.packages_layer(name) for name in sorted(names)}}


def function_bytes(name: str, known: dict[str, Path]) -> int:
    """A function with its layers, unpacked as Lambda counts them."""
    parts = [known[layer] for layer in ("marketdata", "vendor", *NEEDS[name].layers)]
    return sum(map(unpacked_bytes, (bundle.function_package(name), *parts)))


def table() -> str:
    """The sizes, in megabytes of a million bytes."""
    known = layers()
    lines = ["| what | unpacked MB | zipped MB |", "|---|---:|---:|"]
    for name, folder in known.items():
        lines.append(
            f"| layer `{name}` | {unpacked_bytes(folder) / MEGABYTE:.1f} | {zipped_bytes(folder) / MEGABYTE:.1f} |"
        )
    largest = max(FUNCTIONS, key=lambda function: function_bytes(function.name, known))
    whole = function_bytes(largest.name, known) / MEGABYTE
    lines.append(f"| largest function with its layers, `{largest.name}` | {whole:.1f} | |")
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    sys.stdout.write(f"{table()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
