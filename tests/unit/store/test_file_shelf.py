"""Where files lie: a folder, and a bucket of a server that speaks S3."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from marketdata.errors import StoreError
from marketdata.store.file_shelf import BucketShelf, FileShelf, FolderShelf

NAME = f"{1:032x}.parquet"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3, with one bucket. Its libraries are large: whoever does not ask for it is spared them."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket="exports")
        yield url
        server.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    path.write_bytes(b"candles")
    return path


def test_a_file_in_a_bucket_is_fetched_by_a_link_that_is_signed(endpoint: str, file: Path) -> None:
    shelf = BucketShelf("exports", endpoint_url=endpoint)
    shelf.put(NAME, file)
    file.write_bytes(b"candles again")
    shelf.put(NAME, file)
    assert shelf.get(NAME, file)
    assert file.read_bytes() == b"candles again"
    link = shelf.link(NAME, 60)
    assert "X-Amz-Expires=60" in link or "Expires=" in link
    assert httpx.get(link).content == b"candles again"
    shelf.remove(NAME)
    shelf.remove(NAME)
    assert httpx.get(link).status_code == 404
    assert not shelf.get(NAME, file)


def test_a_bucket_that_is_not_there_is_the_store_s_fault_and_told(endpoint: str, file: Path) -> None:
    with pytest.raises(StoreError, match="NoSuchBucket"):
        BucketShelf("another", endpoint_url=endpoint).put(NAME, file)


def test_a_bucket_that_does_not_answer_is_not_one_without_the_file(endpoint: str, file: Path) -> None:
    with pytest.raises(StoreError):
        BucketShelf("exports", endpoint_url="http://127.0.0.1:1").get(NAME, file)


def test_a_folder_shows_whole_files_alone(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "exports"
    shelf: FileShelf = FolderShelf(folder)
    shelf.put(NAME, file)
    assert shelf.link(NAME, 60) == f"/files/{NAME}"
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == b"candles"
    assert shelf.get(NAME, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"candles"
    shelf.remove(NAME)
    shelf.remove(NAME)
    assert list(folder.iterdir()) == []
    assert not shelf.get(NAME, tmp_path / "got")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, file: Path) -> None:
    (tmp_path / "in the way").write_text("")
    with pytest.raises(StoreError):
        FolderShelf(tmp_path / "in the way").put(NAME, file)
