"""What is shipped fits."""

import pytest

from infra.catalog import FUNCTIONS
from infra.sizes import UNPACKED_BYTES_MAX, function_bytes, layers


@pytest.mark.parametrize("name", [function.name for function in FUNCTIONS])
def test_no_function_outgrows_lambda(name: str) -> None:
    assert 1_000_000 < function_bytes(name, layers()) < UNPACKED_BYTES_MAX
