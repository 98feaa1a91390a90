"""Take what someone pushes: trades, and a webhook's ticks and symbols; `x-api-key` or `Authorization: Bearer` let in.

    POST /v1/ingest             {"exchange": "coinbase", "trades": [{"symbol": "BTC-USD", "id": 1, "side": "buy",
                                  "time": "2026-08-09T21:05:00.25Z", "price": "65000.10", "size": "0.5"}]}
    POST /v1/ingest             {} or {"symbols": ["BTC-USD"]}: compute statistics now; POST /api/ingest is the same
    POST /v1/webhooks/ticks     one tick, a list, or {"items": [{"symbol": "BTCUSDT", "price": 65000.1, "volume": 0.5,
                                  "ts": 1786309500250}]}
    POST /v1/webhooks/symbols   {"items": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "active": true}]}

and the webhooks below /api/v1 too. Event: payload format 2.0, see event.json.
Whoever does not wait for statistics says `Prefer: respond-async`: then it is 202, a run that is queued, and `Location`.
Answer: 202 and {"accepted": 1, "duplicates": 0, "rejected": []}; of statistics 200 and what jobs/ingest_markets.py
says. `side` is the taker's; prices and sizes may be JSON
numbers too, which are read exactly. A request may carry an `Idempotency-Key`: sent again it is answered the same.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from marketdata import http_function, wiring
from marketdata.clock import Clock
from marketdata.exchange_access import ids_contiguous
from marketdata.http_function import JSON, entry_point
from marketdata.jobs.answer_later import ORDERED, answer_later
from marketdata.jobs.answer_once import answer_once
from marketdata.jobs.front_door import Door
from marketdata.jobs.ingest_markets import ingest_markets, wanted_markets
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.ordered import order_job
from marketdata.jobs.take_ticks import Taken, take_ticks
from marketdata.jobs.take_webhooks import take_symbols, take_webhook_ticks
from marketdata.model.job_run import JobRun
from marketdata.observe import Handler, count
from marketdata.serve.gateway_events import body, caller
from marketdata.serve.operation import Access, Answer, declared
from marketdata.serve.parameters import IDEMPOTENCY_KEY, PREFER, REPLAYED
from marketdata.serve.preference import prefers_async
from marketdata.serve.router import Request, Response, Router
from marketdata.settings import Settings
from marketdata.store.store import Store

# The market that has begun, and the comparisons, must be written before Lambda cuts the function off.
MARGIN = timedelta(seconds=12)

TAKEN = Answer("jobs.take_ticks.Taken", "What became of them.", 202, headers=(REPLAYED,))

STATISTICS = "roi_stats"

Take = Callable[[bytes], Taken]


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The ingest door over `store`."""
    return http_function.application(add_routes, store, settings, clock, Door.INGEST)


def add_routes(router: Router, store: Store, settings: Settings, clock: Clock) -> None:
    """Add this function's routes, as infra/catalog.py lists them."""
    instruments = KnownInstruments(store, clock)
    remembered = wiring.remembered_answers(settings, store, failed=lambda: count("AnswersNotRemembered"))

    place = (store, instruments, clock)
    trades = partial(take_ticks, *place, ids_contiguous=ids_contiguous, changed=remembered.forget)
    ticks = partial(take_webhook_ticks, *place, ids_contiguous=ids_contiguous, changed=remembered.forget)

    def symbols(sent: bytes) -> Taken:
        return take_symbols(store, sent)

    def answer(request: Request, take: Take, metric: str) -> Response:
        sent = body(request.event)

        def work() -> str:
            taken = take(sent)
            count(metric, taken.accepted)
            return taken.document()

        # A door has several paths; asking at another one is the same request.
        asked = (caller(request.event), metric, sent)
        document, repeated = answer_once(store, clock.now(), request.header("idempotency-key"), asked, work)
        return Response(202, JSON, document, headers={REPLAYED: "true"} if repeated else {})

    def compute(request: Request, wanted: tuple[str, ...] | None) -> Response:
        remaining = timedelta(milliseconds=request.context.get_remaining_time_in_millis())
        deadline = clock.now() + remaining - MARGIN

        def work() -> str:
            return ingest_markets(store, instruments, clock, deadline, wanted, trigger="manual")

        def order() -> JobRun:
            markets = [instruments.find(symbol, None).key for symbol in dict.fromkeys(wanted or ())]
            arguments = {"symbols": markets} if markets else {}
            return order_job(store, STATISTICS, clock.now(), jobs=(STATISTICS,), trigger="manual", arguments=arguments)

        asked = (caller(request.event), "MarketsIngested", body(request.event))
        if prefers_async(request.header("prefer")):
            return answer_later(store, clock, request, asked, order)
        document, repeated = answer_once(store, clock.now(), request.header("idempotency-key"), asked, work)
        return Response(200, JSON, document, headers={REPLAYED: "true"} if repeated else {})

    @declared(
        "ingest",
        "Take trades of an exchange; or, where none are sent, compute statistics now.",
        (TAKEN, ORDERED, Answer("serve.shapes.Pipeline", "Statistics were computed.", headers=(REPLAYED,))),
        (IDEMPOTENCY_KEY, PREFER),
        body=("serve.shapes.PushedTrades", "serve.shapes.WantedMarkets"),
        access=Access.INGEST,
    )
    def ingest(request: Request) -> Response:
        computing, wanted = wanted_markets(body(request.event))
        return compute(request, wanted) if computing else answer(request, trades, "TradesIngested")

    @declared(
        "webhook_ticks",
        "Take ticks in a webhook sender's words.",
        TAKEN,
        (IDEMPOTENCY_KEY,),
        body=("serve.shapes.PushedTickList", "serve.shapes.PushedTicks", "serve.shapes.PushedTick"),
        access=Access.INGEST,
    )
    def webhook_ticks(request: Request) -> Response:
        return answer(request, ticks, "TicksIngested")

    @declared(
        "webhook_symbols",
        "Take symbols that ticks will come for.",
        TAKEN,
        (IDEMPOTENCY_KEY,),
        body=("serve.shapes.PushedSymbolList", "serve.shapes.PushedSymbols", "serve.shapes.PushedSymbolRecord"),
        access=Access.INGEST,
    )
    def webhook_symbols(request: Request) -> Response:
        return answer(request, symbols, "SymbolsIngested")

    router.post("/v1/ingest")(ingest)
    router.post("/api/ingest")(ingest)
    for prefix in ("/v1", "/api/v1"):
        router.post(f"{prefix}/webhooks/ticks")(webhook_ticks)
        router.post(f"{prefix}/webhooks/symbols")(webhook_symbols)


handler = entry_point("ingest", application)
