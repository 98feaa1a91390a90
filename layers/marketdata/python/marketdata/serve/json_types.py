"""What a string of our JSON is, told to who reads docs/openapi.json; to the encoder they are plain strings."""

from typing import Annotated

from msgspec import Meta

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC, as `rfc3339` writes it."""

Day = Annotated[str, Meta(extra_json_schema={"format": "date"})]
Amount = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")] | float
"""An exact decimal: a string, or a number if the caller asked for `decimals=number`."""
