"""Cursors: where the next page of one question begins, signed so that a client can only hand them back."""

import base64
import binascii
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from marketdata.errors import RequestInvalid
from marketdata.model.times import EPOCH

_POSITION_BYTES = 8
_SIGNATURE_BYTES = 16
_MICROSECOND = timedelta(microseconds=1)


class Cursors:
    """Issues and reads cursors under one secret.

    A cursor holds the key that was served last (an open time, a gap's number), not a count, so rows that arrive in
    between move nothing. The signature covers the question, so a cursor is good for that question alone; the page size
    is no part of it.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def issue(self, question: str, last: datetime) -> str:
        """The cursor that continues `question` after the open time `last`."""
        return self.issue_after(question, (last - EPOCH) // _MICROSECOND)

    def issue_after(self, question: str, last: int) -> str:
        """The cursor that continues `question` after the number `last`."""
        position = last.to_bytes(_POSITION_BYTES, "big", signed=True)
        return base64.urlsafe_b64encode(position + self._sign(question, position)).decode()

    def read(self, question: str, cursor: str) -> datetime:
        """The last open time that was served. Raises: RequestInvalid for a cursor of another question, or of nobody."""
        return EPOCH + self.read_after(question, cursor) * _MICROSECOND

    def read_after(self, question: str, cursor: str) -> int:
        """The last number that was served. Raises: RequestInvalid as `read`."""
        try:
            token = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise RequestInvalid("cursor", "this is not a cursor; take next_cursor as it was answered") from error
        position, signature = token[:_POSITION_BYTES], token[_POSITION_BYTES:]
        if not hmac.compare_digest(signature, self._sign(question, position)):
            raise RequestInvalid("cursor", "this cursor continues another question; repeat that one, or leave it out")
        return int.from_bytes(position, "big", signed=True)

    def _sign(self, question: str, position: bytes) -> bytes:
        return hmac.digest(self._secret, position + question.encode(), sha256)[:_SIGNATURE_BYTES]
