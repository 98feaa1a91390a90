"""Where finished files lie for those who ordered them: a bucket of S3, or a folder of one's own machine.

A file appears whole or not at all, and putting it again replaces it.
"""

import shutil
from pathlib import Path
from typing import Any, Protocol

from marketdata.errors import StoreError

PREFIX = "exports/"
LOCAL_PATH = "/files/"
"""Where the local server has the folder."""

_NOT_THERE = ("404", "403", "NoSuchKey", "AccessDenied")


class FileShelf(Protocol):
    """Files by name. Raises StoreError where it cannot be reached."""

    def put(self, name: str, path: Path) -> None:
        """Have the file at `path` under that name."""
        ...

    def get(self, name: str, path: Path) -> bool:
        """Have the file of that name at `path` too; False if there is none."""
        ...

    def link(self, name: str, seconds: int) -> str:
        """Where whoever has this link finds the file; of a bucket, for so long."""
        ...

    def remove(self, name: str) -> None:
        """Have it no more; one that is not there is no more."""
        ...


class FolderShelf:
    """A folder, which the local server shows at LOCAL_PATH: names are not guessed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, path: Path) -> None:
        """See FileShelf."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".{name}.draft"
            shutil.copyfile(path, draft)
            draft.replace(self._folder / name)
        except OSError as error:
            raise StoreError("put_file", f"{type(error).__name__}: {error.strerror}") from error

    def get(self, name: str, path: Path) -> bool:
        """See FileShelf."""
        try:
            shutil.copyfile(self._folder / name, path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError("get_file", f"{type(error).__name__}: {error.strerror}") from error
        return True

    def link(self, name: str, seconds: int) -> str:
        """See FileShelf."""
        return f"{LOCAL_PATH}{name}"

    def remove(self, name: str) -> None:
        """See FileShelf."""
        (self._folder / name).unlink(missing_ok=True)


class BucketShelf:
    """A bucket of S3, below PREFIX. boto3 is imported with the first question: Lambda has it, and few functions ask."""

    def __init__(self, bucket: str, *, endpoint_url: str | None = None) -> None:
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._made: Any = None

    def put(self, name: str, path: Path) -> None:
        """See FileShelf."""
        self._ask("put_file", lambda client: client.upload_file(str(path), self._bucket, PREFIX + name))

    def get(self, name: str, path: Path) -> bool:
        """See FileShelf. To who may not list a bucket S3 says "forbidden" of what is not there."""
        try:
            self._ask("get_file", lambda client: client.download_file(self._bucket, PREFIX + name, str(path)))
        except StoreError as error:
            cause = error.__cause__
            code = str(getattr(cause, "response", {}).get("Error", {}).get("Code", ""))
            if code in _NOT_THERE:
                return False
            raise
        return True

    def link(self, name: str, seconds: int) -> str:
        """See FileShelf."""
        place = {"Bucket": self._bucket, "Key": PREFIX + name}
        link: str = self._ask(
            "link_file", lambda client: client.generate_presigned_url("get_object", Params=place, ExpiresIn=seconds)
        )
        return link

    def remove(self, name: str) -> None:
        """See FileShelf."""
        self._ask("remove_file", lambda client: client.delete_object(Bucket=self._bucket, Key=PREFIX + name))

    def _ask(self, operation: str, question: Any) -> Any:
        import boto3  # noqa: PLC0415 - see above
        from boto3.exceptions import Boto3Error  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            if self._made is None:
                patience = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"})
                self._made = boto3.client("s3", endpoint_url=self._endpoint_url, config=patience)
            return question(self._made)
        except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
            raise StoreError(operation, f"{type(error).__name__}: {str(error)[:200]}") from error
