"""What a parameter of a route is: declared once, read by it, and drawn from it in docs/openapi.json.

A declaration is also its parser: `LIMIT.of(given)` is what the caller asked for, or the default; a bound or a choice
stands nowhere else. `serve/parameters.py` has those that routes share.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from marketdata.errors import RequestInvalid
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named, timeframe_of_minutes
from marketdata.serve.request_times import FORMS, boundary

Chosen = TypeVar("Chosen")
Given = Mapping[str, str]
"""Parameters under our names, as `given_parameters` has them."""

_WHOLE_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


# Structs and not dataclasses: a cold start makes these classes, ten times faster.
class Parameter(msgspec.Struct, frozen=True):
    """What every kind has. `aliases` are the names that other services taught their callers.

    `place` is query, path or header; what is in a path is required.
    """

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    place: str = "query"
    example: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Ours, then the aliases."""
        return (self.name, *self.aliases)

    def schema(self) -> dict[str, Any]:
        """As JSON Schema; each kind says more."""
        return {"type": "string"}


class Text(Parameter, frozen=True, kw_only=True):
    """Any text, of at most so many characters where that is said."""

    characters_max: int = 0

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        most = {"maxLength": self.characters_max} if self.characters_max else {}
        return {"type": "string", "minLength": 1} | most

    def of(self, given: Given) -> str | None:
        """What was given, if anything. Raises: RequestInvalid where it is too long."""
        text = given.get(self.name)
        if text is not None and 0 < self.characters_max < len(text):
            raise RequestInvalid(self.name, f"has more than {self.characters_max} characters")
        return text

    def needed(self, given: Given) -> str:
        """What was given. Raises: RequestInvalid where nothing was."""
        text = self.of(given)
        if text is None:
            raise RequestInvalid(self.name, f"is required, as in {self.name}={self.example}")
        return text


class Whole(Parameter, frozen=True, kw_only=True):
    """A whole number from `least` to `most`."""

    default: int
    most: int
    least: int = 1

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def of(self, given: Given) -> int:
        """The number. Raises: RequestInvalid naming the bounds."""
        text = given.get(self.name, str(self.default))
        if not _WHOLE_NUMBER.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise RequestInvalid(self.name, f"must be a whole number from {self.least} to {self.most}")
        return int(text)


class Choice(Parameter, Generic[Chosen], frozen=True, kw_only=True):
    """One of the names of `values`, which says what each means."""

    values: Mapping[str, Chosen]
    default: str | None = None

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        default = {} if self.default is None else {"default": self.default}
        return {"type": "string", "enum": list(self.values)} | default

    def of(self, given: Given, default: str | None = None) -> Chosen:
        """What was chosen, else what `default` or the declared default means. Raises: RequestInvalid."""
        text = given.get(self.name) or default or self.default or ""
        if text not in self.values:
            names = tuple(self.values)
            raise RequestInvalid(self.name, f"{text[:64]!r} is not one of {', '.join(names)}", names)
        return self.values[text]


class Choices(Parameter, Generic[Chosen], frozen=True, kw_only=True):
    """Some of the names of `values`, with commas between them; the name `all` means all there are, in order."""

    values: Mapping[str, tuple[Chosen, ...]]
    default: str

    def schema(self) -> dict[str, Any]:
        """As JSON Schema: an array that is written with commas."""
        names = {"type": "string", "enum": list(self.values)}
        return {"type": "array", "items": names, "minItems": 1, "default": [self.default]}

    def of(self, given: Given) -> tuple[Chosen, ...]:
        """Those chosen, each once. Raises: RequestInvalid naming those that there are."""
        return self.read(given.get(self.name, self.default))

    def read(self, text: str) -> tuple[Chosen, ...]:
        """`open,leased` or `all`, each once and in the order of all. Raises: RequestInvalid."""
        names = [part.strip() for part in text.split(",") if part.strip()]
        unknown = [name for name in names if name not in self.values]
        if unknown or not names:
            known = tuple(self.values)
            first = (unknown or [text])[0][:64]
            raise RequestInvalid(self.name, f"{first!r} is not one of {', '.join(known)}", known)
        chosen = {value for name in names for value in self.values[name]}
        return tuple(value for value in self.values["all"] if value in chosen)


class Time(Parameter, frozen=True):
    """A moment, in any of the forms of serve/request_times."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        forms = [
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
            {"type": "integer", "minimum": 0},
        ]
        return {"anyOf": forms, "description": f"{FORMS}."}

    def of(self, given: Given) -> datetime | None:
        """The first microsecond at or after it. Raises: RequestInvalid."""
        return boundary(given[self.name], self.name) if self.name in given else None


class Length(Parameter, frozen=True, kw_only=True):
    """A timeframe: by name, or by its length in seconds as Coinbase's `granularity` has it."""

    default: str = M1.name

    def schema(self) -> dict[str, Any]:
        """As JSON Schema; that of a name, which is what is recommended."""
        return {"type": "string", "enum": [timeframe.name for timeframe in TIMEFRAMES], "default": self.default}

    def of(self, given: Given) -> Timeframe:
        """The timeframe. Raises: RequestInvalid naming those that there are."""
        text = given.get(self.name, self.default)
        if _WHOLE_NUMBER.fullmatch(text) and int(text) % 60 == 0:
            return timeframe_of_minutes(int(text) // 60)
        return timeframe_named(text)


def given_parameters(sent: Mapping[str, str], declared: Sequence[Parameter]) -> dict[str, str]:
    """The query string under our names, without empty ones; one that is unknown would silently change the question."""
    ours = {name: one.name for one in declared if one.place == "query" for name in one.names}
    given: dict[str, str] = {}
    for alias, value in sent.items():
        if alias not in ours:
            raise RequestInvalid(alias[:64], f"is not a parameter here; there are {', '.join(ours) or 'none'}")
        # No text of the database may have it, so nothing there is called so.
        if "\0" in value:
            raise RequestInvalid(alias, "has a NUL character")
        if value and given.setdefault(ours[alias], value) != value:
            raise RequestInvalid(alias, f"contradicts another name of {ours[alias]}")
    return given


def in_order(start: datetime | None, end: datetime | None) -> None:
    """Raises: RequestInvalid where a span ends before it starts."""
    if start is not None and end is not None and start >= end:
        raise RequestInvalid("end", "must be after start; the end itself is excluded")
