"""When a target is not to be disturbed. Pure; zones are IANA's."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from marketdata.errors import RequestInvalid
from marketdata.model.alert_target import QuietHours

_DAY = timedelta(days=1)


def quiet_until(quiet: QuietHours | None, now: datetime) -> datetime | None:
    """The end of the quiet hours that `now` is in; None if it is in none."""
    if quiet is None:
        return None
    zone = ZoneInfo(quiet.zone)
    local = now.astimezone(zone)
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    for day in (local.date() - _DAY, local.date()):
        begins = datetime.combine(day, start, zone)
        # Hours that end before they begin end on the next day; clocks that are put forward or back move both.
        ends = datetime.combine(day if end > start else day + _DAY, end, zone)
        if begins.astimezone(UTC) <= now < ends.astimezone(UTC):
            return ends.astimezone(UTC)
    return None


def quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00 Europe/Berlin` as quiet hours. Raises: RequestInvalid."""
    hours, _, zone = text.strip().partition(" ")
    start, _, end = hours.partition("-")
    try:
        found = QuietHours(
            f"{time.fromisoformat(start):%H:%M}", f"{time.fromisoformat(end):%H:%M}", zone.strip() or "UTC"
        )
        ZoneInfo(found.zone)
    except (ValueError, OSError, KeyError) as error:
        raise RequestInvalid("quiet", f"{text[:64]!r} is not like 22:00-07:00 Europe/Berlin") from error
    if found.start == found.end:
        raise RequestInvalid("quiet", "hours that begin when they end are none")
    return found
