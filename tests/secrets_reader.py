"""AWS's reader of secrets, as it stands beside a function: HTTP on this machine, one secret an answer."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit


class SecretsReader(ThreadingHTTPServer):
    """What each secret says, and what it was asked: (secret, token)."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)
        self.refusals = 0
        """So many answers that it is not ready yet."""
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("localhost", 0), _Answer)

    @property
    def environment(self) -> dict[str, str]:
        """What a function beside it is given."""
        return {
            "MARKETDATA_SECRETS": ",".join(self.secrets),
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(self.server_port),
            "AWS_SESSION_TOKEN": "of-the-function",
        }


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        reader = self.server
        assert isinstance(reader, SecretsReader)
        name = parse_qs(urlsplit(self.path).query)["secretId"][0]
        reader.asked.append((name, self.headers["X-Aws-Parameters-Secrets-Token"]))
        if reader.refusals:
            reader.refusals -= 1
            self.send_error(400, "not ready to serve traffic, please wait")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"ARN": name, "SecretString": reader.secrets[name]}).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a test reads what was asked."""


@contextmanager
def secrets_reader(secrets: Mapping[str, str]) -> Iterator[SecretsReader]:
    """A reader of these secrets, until the end of the block."""
    with SecretsReader(secrets) as reader:
        thread = Thread(target=reader.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield reader
        finally:
            reader.shutdown()
            thread.join()
