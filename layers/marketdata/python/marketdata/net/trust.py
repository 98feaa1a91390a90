"""Whom a connection of ours believes, read once: the certificates of the authorities take some 20 ms a reading.

Used by whatever in `net` speaks TLS. One context serves any number of clients and threads; nobody changes it.
"""

import ssl
from functools import lru_cache

import httpx


@lru_cache(maxsize=1)
def trusted_authorities() -> ssl.SSLContext:
    """The authorities that httpx believes: SSL_CERT_FILE or SSL_CERT_DIR where they are set, certifi's otherwise."""
    return httpx.create_ssl_context()
