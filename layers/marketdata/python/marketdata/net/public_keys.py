"""Fetch a small public document of the project, such as the keys that its users' tokens are signed with."""

import httpx

from marketdata.errors import StoreError

TIMEOUT_SECONDS = 3.0
BYTES_MAX = 65_536


def fetch_document(url: str, *, http: httpx.Client | None = None) -> bytes:
    """The document at `url`. Raises: StoreError if it cannot be had, or is larger than BYTES_MAX."""
    try:
        with http or httpx.Client(timeout=TIMEOUT_SECONDS) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > BYTES_MAX:
                    raise StoreError("user keys", f"the answer has more than {BYTES_MAX} bytes")
            return body
    except httpx.HTTPError as error:
        raise StoreError("user keys", type(error).__name__) from error
