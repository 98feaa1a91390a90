"""Lambda's Runtime API (2018-06-01) for one process, which it starts: the real awslambdaric on what is shipped.

What a function sees is what Lambda shows it: its folder, its layers under a path of their own, Lambda's variables, and
nothing of this environment. Called by the tests of the packages; a benchmark of cold starts may too.
"""

import json
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_BYTES_MAX = 6_291_456
"""What Lambda takes as an answer."""


@dataclass(frozen=True)
class Invocation:
    """What came of one event: `kind` is `response`, `error`, or `init` when the function did not even start."""

    kind: str
    document: Any


class RuntimeApi:
    """One function, from its start to its end. `layers` are folders with `python/`; `runtime` has awslambdaric."""

    def __init__(
        self,
        *,
        python: str,
        package: Path,
        layers: Sequence[Path],
        runtime: Path,
        environment: Mapping[str, str],
        name: str = "function",
        memory_megabytes: int = 512,
        seconds_max: float = 60,
        log: Path | None = None,
    ) -> None:
        self.name, self._seconds_max = name, seconds_max
        self._events: queue.Queue[tuple[str, bytes, int] | None] = queue.Queue()
        self._answers: queue.Queue[Invocation] = queue.Queue()
        self._server = _Server(self._events, self._answers, name)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._command = [python, "-S", "-m", "awslambdaric", "handler.handler"]
        self._package, self._log = package, log
        folders = [str(package), *(str(layer / "python") for layer in layers), str(runtime)]
        self._environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "_HANDLER": "handler.handler",
            "LAMBDA_TASK_ROOT": str(package),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_megabytes),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "here",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_REGION": "us-east-1",
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": ":".join(folders),
            "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's folders cannot be written to
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        output = self._log.open("wb") if self._log else None
        try:
            self.process = subprocess.Popen(
                self._command, cwd=self._package, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        finally:
            if output:
                output.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def invoke(self, event: object) -> Invocation:
        """Send an event and wait for what comes of it. Raises: queue.Empty when nothing does in time."""
        deadline_milliseconds = int((time.time() + self._seconds_max) * 1000)
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode(), deadline_milliseconds))
        return self._answers.get(timeout=self._seconds_max)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        events: "queue.Queue[tuple[str, bytes, int] | None]",
        answers: "queue.Queue[Invocation]",
        name: str,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events, self.answers, self.name = events, answers, name

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that was killed while it waited for its next event: that is how each ends."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    disable_nagle_algorithm = True  # otherwise each answer waits 40 ms and more for an acknowledgement

    def do_GET(self) -> None:
        server = self._of()
        if self.path.endswith("/restore/next"):
            self._answer(200)
            return
        event = server.events.get()
        if event is None:
            self._answer(500)
            return
        request_id, body, deadline = event
        self._answer(
            200,
            body,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
                "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:us-east-1:123456789012:function:{server.name}",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        parts = self.path.split("/")
        kind = "init" if "init" in parts else parts[-1]
        self._of().answers.put(Invocation(kind, json.loads(body)))
        self._answer(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the function's own lines are what matters."""

    def _of(self) -> _Server:
        assert isinstance(self.server, _Server)
        return self.server

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
            assert len(whole) <= ANSWER_BYTES_MAX
        self.rfile.readline()
        return whole

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
