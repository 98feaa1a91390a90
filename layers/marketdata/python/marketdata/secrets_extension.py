"""Settings that are secret, read where AWS keeps them. Called by wiring, on Lambda.

MARKETDATA_SECRETS names secrets of Secrets Manager, each a JSON object of environment variables. They are asked for at
AWS's own reader beside the function, over HTTP on its own machine: boto3 would cost 200 ms of each cold start.
Source: AWS Parameters and Secrets Lambda Extension, docs.aws.amazon.com/secretsmanager/latest/userguide.
"""

import http.client
import json
import logging
import time
from collections.abc import Callable, Mapping
from threading import Lock
from urllib.parse import quote

from marketdata.errors import SettingsInvalid

logger = logging.getLogger(__name__)

NAMES = "MARKETDATA_SECRETS"
PORT = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable
DEFAULT_PORT = 2773

SECONDS_MAX = 5.0
TRIES_MAX = 3
RETRY_SECONDS = 0.2
"""The reader starts beside the function, and may not listen yet when the first event comes."""

KEPT_SECONDS = 60.0
"""So long what was read is believed; a rotated key is the old one for so long, and the reader's own minute."""


class SecretSettings:
    """What the secrets of an environment say, kept for a while; by one process, from event to event."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic, self._sleep = monotonic, sleep
        self._lock = Lock()
        self._read: dict[str, str] = {}
        self._read_for = ""
        self._read_at = 0.0

    def of(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """The variables that the secrets of `environment` hold; none where it names no secret.

        What was read before stays when it cannot be read again. Raises: SettingsInvalid when nothing was read before.
        """
        names = environment.get(NAMES, "").strip()
        if not names:
            return {}
        with self._lock:
            if names != self._read_for or self._monotonic() - self._read_at >= KEPT_SECONDS:
                self._read_anew(names, environment)
            return self._read

    def _read_anew(self, names: str, environment: Mapping[str, str]) -> None:
        read: dict[str, str] = {}
        try:
            for name in names.split(","):
                read |= self._variables(name.strip(), environment)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if names != self._read_for:
                raise SettingsInvalid({NAMES: f"cannot be read: {error}"}) from None
            logger.warning("secrets cannot be read again; the old ones stay", extra={"reason": str(error)})
            read = self._read
        self._read, self._read_for, self._read_at = read, names, self._monotonic()

    def _variables(self, name: str, environment: Mapping[str, str]) -> dict[str, str]:
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                return _asked(name, environment)
            except (OSError, http.client.HTTPException):
                if not tries_left:
                    raise
                self._sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")


def _asked(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """One secret. Raises: OSError where nothing answers, or not with the secret; ValueError for what is no object."""
    line = http.client.HTTPConnection("localhost", int(environment.get(PORT, DEFAULT_PORT)), timeout=SECONDS_MAX)
    try:
        path = f"/secretsmanager/get?secretId={quote(name, safe='')}"
        line.request("GET", path, headers={"X-Aws-Parameters-Secrets-Token": environment.get(TOKEN, "")})
        answer = line.getresponse()
        body = answer.read()
    finally:
        line.close()
    if answer.status != http.client.OK:
        raise OSError(f"the reader of secrets answers {answer.status}")
    return _parsed(body)


def _parsed(body: bytes) -> dict[str, str]:
    """The variables; what is wrong is told without what is in it."""
    try:
        held = json.loads(json.loads(body)["SecretString"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("a secret is not a JSON object of variables") from None
    if not isinstance(held, dict):
        raise ValueError("a secret is not a JSON object of variables")  # noqa: TRY004 - told as any other of its kind
    return {str(name): str(value) for name, value in held.items()}
