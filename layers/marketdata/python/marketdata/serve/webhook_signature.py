"""The signature of Standard Webhooks: HMAC-SHA256 over id, time and body, one for each key that receivers may hold.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2024, Apache-2.0).
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from marketdata.errors import RequestInvalid
from marketdata.model.times import EPOCH

PREFIX = "whsec_"
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64


def signed_headers(message_id: str, time: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of a message that is sent at `time`. Raises: RequestInvalid for a secret that is none."""
    seconds = str(int((time - EPOCH).total_seconds()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    signatures = [f"v1,{base64.b64encode(hmac.digest(key_of(one), signed, sha256)).decode()}" for one in secrets]
    return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": " ".join(signatures)}


def key_of(secret: str) -> bytes:
    """The bytes of `whsec_<base64>`. Raises: RequestInvalid, which does not quote it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("secret", "must be whsec_ and base64, as other senders of webhooks write it") from error
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise RequestInvalid("secret", f"must be {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, in base64")
    return key
