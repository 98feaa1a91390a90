"""The routes of exports: order one, and ask how it is. Part of the api function.

    POST /v1/exports        {"symbol": "BTC-USD", "timeframe": "1m", "start": "2026-01-01", "end": "2026-07-01"}
    GET  /v1/exports/{id}

Answer: 202 with `Location`, and the export's document; with the file's `url` when it is done. Ordering costs more than
reading, so it takes a key or a logged-in user, but on one's own machine. Whoever has the id may ask for the export.
"""

import msgspec

from marketdata import wiring
from marketdata.errors import RequestInvalid, SettingsInvalid, Unauthorized
from marketdata.http_function import JSON
from marketdata.jobs.answer_once import answer_once
from marketdata.jobs.export import LINK_SECONDS, file_name, find_export, order_export
from marketdata.model.export import Export, ExportState
from marketdata.routes.desk import Desk
from marketdata.serve.exports_json import export_body
from marketdata.serve.gateway_events import body, caller
from marketdata.serve.operation import Access, Answer, declared
from marketdata.serve.parameter import Text
from marketdata.serve.parameters import IDEMPOTENCY_KEY
from marketdata.serve.params import CANDLES, candle_query
from marketdata.serve.router import Request, Response
from marketdata.store.file_shelf import FileShelf

PATH = "/v1/exports"
SHAPE = "serve.exports_json.ExportDocument"
ID = Text("id", "The export's id, as it was answered.", required=True, place="path", characters_max=32)
TAKEN = ("symbol", "exchange", "timeframe", "start", "end")
NAMES = {name for parameter in CANDLES if parameter.name in TAKEN for name in (parameter.name, *parameter.aliases)}


def add(desk: Desk) -> None:
    """/v1/exports and /v1/exports/{id}."""
    router, store, clock = desk.router, desk.store, desk.clock
    shelf = wiring.file_shelf(desk.settings)

    @router.post(PATH)
    @declared(
        "order_export",
        "Order the candles of a span as a Parquet file.",
        Answer(SHAPE, "It is ordered, or was under the same key.", 202, headers=("Location", "Idempotent-Replayed")),
        (IDEMPOTENCY_KEY,),
        body="serve.shapes.WantedExport",
        access=Access.READER,
    )
    def order(request: Request) -> Response:
        asker, sent = caller(request.event), body(request.event)
        key = request.header("idempotency-key")
        if not asker and not desk.settings.local:
            raise Unauthorized("an export needs a key, or the token of a user who is logged in")
        if shelf is None:
            raise SettingsInvalid({"EXPORT_BUCKET": "is not set, so there is nowhere to put exports"})

        def work() -> str:
            query = candle_query(_wanted(sent))
            ordered = order_export(store, desk.instruments, clock.now(), query, caller=asker or "anybody", key=key)
            return export_body(ordered, None)

        document, repeated = answer_once(store, clock.now(), key, (asker, PATH, sent), work)
        told = {"Location": f"{PATH}/{msgspec.json.decode(document)['id']}"}
        return Response(202, JSON, document, headers=told | ({"Idempotent-Replayed": "true"} if repeated else {}))

    @router.get(f"{PATH}/<id>")
    @declared("export", "An export, and where its file is.", Answer(SHAPE), (ID,), refusals=(404,))
    def find(request: Request, id: str) -> Response:
        found = find_export(store, id, clock.now())
        return Response(200, JSON, export_body(found, _url(shelf, found)), headers={"Cache-Control": "no-store"})


def _url(shelf: FileShelf | None, found: Export) -> str | None:
    if shelf is None or found.state is not ExportState.DONE:
        return None
    return shelf.link(file_name(found), LINK_SECONDS)


def _wanted(sent: bytes) -> dict[str, str]:
    """The question, by the names of /v1/candles. Raises: RequestInvalid."""
    try:
        wanted = msgspec.json.decode(sent, type=dict[str, str | int | None])
    except msgspec.DecodeError as error:
        raise RequestInvalid("body", 'must be an object like {"symbol": "BTC-USD", "start": "2026-01-01"}') from error
    strange = [name for name in wanted if name not in NAMES]
    if strange:
        raise RequestInvalid(strange[0][:64], f"is no part of an export; there are {', '.join(TAKEN)}")
    return {name: str(value) for name, value in wanted.items() if value is not None}
