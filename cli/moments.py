"""Times as people type them: a date, RFC 3339, or how long ago."""

import re
from datetime import datetime, timedelta

from marketdata.errors import RequestInvalid
from marketdata.model.times import EPOCH
from marketdata.serve.request_times import boundary

_AGO = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def moment(text: str, option: str, now: datetime) -> datetime:
    """`7d` (minutes, hours, days or weeks before `now`), or a time as the API takes it. Raises: RequestInvalid."""
    ago = _AGO.fullmatch(text)
    if ago is None:
        return boundary(text, option)
    back = int(ago[1]) * _UNITS[ago[2]]
    if back > now - EPOCH:
        raise RequestInvalid(option, f"{text} ago is before 1970")
    return now - back
