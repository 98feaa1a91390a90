"""The folder of exports, as the front shows it."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.front import _add_files

NAME = f"{1:032x}.parquet"


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"/files/{NAME}", 200), (f"/files/{2:032x}.parquet", 404), ("/files/", 404), ("/files/..%2Fsecret", 404)],
)
async def test_a_file_is_had_by_its_whole_name_and_nothing_else_is(tmp_path: Path, path: str, status: int) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / NAME).write_bytes(b"candles")
    (tmp_path / "secret").write_bytes(b"secret")
    app = web.Application()
    _add_files(app, tmp_path / "exports")
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(path)
        assert answer.status == status
        if status == 200:
            assert await answer.read() == b"candles"
