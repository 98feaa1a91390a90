"""The files of the page as they lie there: what is vendored is what was published; nothing comes from elsewhere."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).parents[2] / "dashboard"
VENDOR = DASHBOARD / "vendor"
MODULES = sorted(DASHBOARD.glob("*.js"))
PAGE = (DASHBOARD / "index.html").read_text()


def checksums() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}


def test_what_is_vendored_is_what_was_published() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("lightweight-charts*")}
    assert found == checksums()


def test_the_one_style_rule_that_the_library_writes_is_allowed_by_its_hash() -> None:
    library = (VENDOR / "lightweight-charts-5.2.1.mjs").read_text()
    rules = re.findall(r'innerText="(a#tv-attr-logo.*?)"', library)
    hashes = [base64.b64encode(hashlib.sha256(rule.encode()).digest()).decode() for rule in rules]
    assert [f"'sha256-{one}'" in PAGE for one in hashes] == [True]


def test_the_page_allows_scripts_from_its_own_server_alone() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert policy is not None
    directives = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert "unsafe" not in policy[1]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=", PAGE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_only_what_lies_beside_it(path: Path) -> None:
    imports = re.findall(r"""(?:from|import)\s+['"]([^'"]+)['"]""", path.read_text())
    assert [name for name in imports if not (DASHBOARD / name).is_file()] == []


def test_every_module_is_used() -> None:
    text = PAGE + "".join(path.read_text() for path in MODULES)
    assert [path.name for path in MODULES if not re.search(rf"""['"](?:\./)?{re.escape(path.name)}['"]""", text)] == []


def test_every_part_of_the_page_that_a_module_asks_for_is_there() -> None:
    asked = {name for path in MODULES for name in re.findall(r"byId\('([a-z0-9-]+)'\)", path.read_text())}
    assert asked - set(re.findall(r'\bid="([a-z0-9-]+)"', PAGE)) == set()
