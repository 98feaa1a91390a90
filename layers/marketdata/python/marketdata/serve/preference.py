"""What a caller would like, and need not get: RFC 7240. Of all preferences one is known, to be answered at once."""

RESPOND_ASYNC = "respond-async"
APPLIED = "Preference-Applied"
"""The header of an answer that is as the caller prefers."""


def prefers_async(header: str | None) -> bool:
    """Whether `Prefer` asks not to be kept waiting, whatever else it asks."""
    preferences = (preference.partition(";")[0].strip().lower() for preference in (header or "").split(","))
    return RESPOND_ASYNC in preferences
