"""What docs/openapi.json says that no single route declares: the service, headers, refusals, who is let in."""

from typing import Any

import msgspec
from marketdata.serve.operation import Access

VERSION = "1.0.0"
"""Of the API. A path or a property that goes away raises the first number: tests/functions/test_openapi.py."""

INFO = {
    "title": "Market Data Engine",
    "version": VERSION,
    "summary": "Unbroken, proven candles.",
    "description": "Times are RFC 3339 in UTC, and also seconds, milliseconds, microseconds or nanoseconds since 1970 "
    "by magnitude. Spans are half open: `end` is excluded. Decimals are exact. Problems are RFC 9457 documents whose "
    "`type` never changes its meaning.",
}
SERVERS = [{"url": "/", "description": "Where this document was found."}]


class GatewayRefusal(msgspec.Struct, frozen=True):
    """What the gateway before us answers on its own."""

    message: str


GATEWAY_ANSWERS = frozenset({413, 429, 500, 503, 504})

REFUSALS: dict[int, str] = {
    400: "The request cannot be understood; `errors` names the parameter or field.",
    401: "Not let in: the key or token is missing or wrong. Of reads only where they are closed.",
    403: "Not allowed.",
    404: "Nothing of that name is here; `choices` names what is.",
    406: "None of the formats asked for is had.",
    409: "The name fits more than one thing, or the same request is being answered now; `choices` names them.",
    413: "More than one request may carry, or more than one answer can.",
    422: "The Idempotency-Key came with another request before.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "A fault of ours; it is in our log under the request id.",
    503: "The store did not answer, or a setting is missing.",
    504: "It took too long.",
}

QUOTA = ("RateLimit-Policy", "RateLimit")
"""What every answer says of the caller's quota, and what a refusal for want of it does."""

HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "Names this request in our log.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds until it is worth asking again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": 'The quota, as in `"default";q=600;w=60`: so many requests in so many seconds. None at home.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'How it stands, as in `"default";r=599;t=60`: so many are left, and all of them again then.',
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where to ask how it is.", "schema": {"type": "string"}},
    "ETag": {"description": "A strong validator, made of what the answer says.", "schema": {"type": "string"}},
    "Cache-Control": {
        "description": "`no-cache` at the live edge; a lifetime for time that is past and held whole.",
        "schema": {"type": "string"},
    },
    "Vary": {"description": "Which headers of the request decided.", "schema": {"type": "string"}},
    "Content-Encoding": {
        "description": "How the body is packed: zstd or gzip, as Accept-Encoding said.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'The next page, with `rel="next"`; none if there is no more.',
        "schema": {"type": "string"},
    },
    "X-Data-Condition": {
        "description": "How far the answer can be trusted, as `meta.condition`.",
        "schema": {"type": "string", "enum": ["available", "degraded", "missing"]},
    },
    "X-Data-Coverage": {
        "description": "The share that is held or known to be empty, as `meta.coverage`; none if nothing was expected.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "Preference-Applied": {
        "description": "The preference that was heeded.",
        "schema": {"type": "string", "enum": ["respond-async"]},
    },
    "Idempotent-Replayed": {
        "description": "The answer that the same key got before.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

MEDIA: dict[str, Any] = {
    "application/vnd.marketdata.columns+json": {"type": "object"},
    "text/csv": {"type": "string"},
    "text/css": {"type": "string"},
    "text/html": {"type": "string"},
    "text/javascript": {"type": "string"},
    "text/plain": {"type": "string"},
    "application/vnd.apache.arrow.stream": {"type": "string", "contentEncoding": "binary"},
}

_READER: dict[str, Any] = {
    "readKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "Any key."},
    "readBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Any key, or the access token of a user who is logged in.",
    },
}

ACCESS: dict[Access, dict[str, Any]] = {
    Access.PUBLIC: _READER,
    Access.READER: _READER,
    Access.INGEST: {
        "ingestKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An ingest key."},
        "ingestBearer": {"type": "http", "scheme": "bearer", "description": "An ingest key."},
    },
    Access.CRON: {"cronSecret": {"type": "http", "scheme": "bearer", "description": "The cron secret."}},
}
