"""Answer a caller who does not wait for a job: it is ordered, and the list of runs says how it goes. See ordered.py."""

from collections.abc import Callable

import msgspec

from marketdata.clock import Clock
from marketdata.jobs.answer_once import answer_once
from marketdata.model.job_run import JobRun
from marketdata.serve.jobs_json import run_body
from marketdata.serve.operation import JSON, Answer
from marketdata.serve.parameters import REPLAYED
from marketdata.serve.preference import APPLIED, RESPOND_ASYNC
from marketdata.serve.router import Request, Response
from marketdata.store.store import Store

PLACE = "/v1/jobs?id="
ORDERED = Answer(
    "serve.jobs_json.RunRecord",
    "As `Prefer: respond-async` asked: it is ordered, and begins within minutes.",
    202,
    headers=("Location", APPLIED, REPLAYED),
)


def answer_later(
    store: Store, clock: Clock, request: Request, asked: tuple[str, str, bytes], order: Callable[[], JobRun]
) -> Response:
    """202 and the run that `order` queues, once under a key; see answer_once for `asked` and what it raises."""
    caller, what, body = asked
    key = request.header("idempotency-key")
    later = (caller, f"{what}, later", body)
    document, repeated = answer_once(store, clock.now(), key, later, lambda: run_body(order()))
    headers = {"Location": f"{PLACE}{msgspec.json.decode(document)['id']}", APPLIED: RESPOND_ASYNC}
    return Response(202, JSON, document, headers=headers | ({REPLAYED: "true"} if repeated else {}))
