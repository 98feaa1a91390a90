"""The routes of gaps, symbols, status and metadata as other services called and shaped them."""

from marketdata.jobs.query_gaps import find_gap_page
from marketdata.jobs.report_holdings import list_symbols, report_ingestion, report_unix_metadata
from marketdata.routes.desk import Desk
from marketdata.serve.gaps_json import plain_gaps_body
from marketdata.serve.operation import JSON, Answer, declared
from marketdata.serve.params import METADATA, PLAIN_GAPS, metadata_query, no_parameters, plain_gap_query
from marketdata.serve.representation import next_link
from marketdata.serve.router import Request, Response


def add(desk: Desk) -> None:
    """What other services called theirs: /gaps, /symbols, /status, /api/metadata."""
    router, store, instruments, clock = desk.router, desk.store, desk.instruments, desk.clock

    @router.get("/gaps")
    @declared("plain_gaps", "Gaps as a bare list.", Answer("serve.gaps_json.PlainGaps", headers=("Link",)), PLAIN_GAPS)
    def gaps(request: Request) -> Response:
        page = find_gap_page(store, instruments, desk.cursors, plain_gap_query(request.parameters))
        link = next_link(request.event["rawPath"], request.event.get("rawQueryString") or "", page.next_cursor)
        return Response(200, JSON, plain_gaps_body(page.gaps), headers={"Link": link} if link else {})

    @router.get("/symbols")
    @declared("symbols", "The symbols that are followed, by exchange.", "jobs.report_holdings.SymbolsByExchange")
    def symbols(request: Request) -> Response:
        no_parameters(request.parameters)
        return Response(200, JSON, list_symbols(instruments.all()))

    @router.get("/status")
    @declared("ingestion", "Each timeframe of each symbol.", "jobs.report_holdings.IngestionStatuses", refusals=(413,))
    def status(request: Request) -> Response:
        no_parameters(request.parameters)
        return Response(200, JSON, report_ingestion(store, instruments, clock.now()))

    shapes = Answer("jobs.report_holdings.UnixMetadataAnswer")

    @router.get("/api/metadata")
    @declared("unix_metadata", "From when to when there is data.", shapes, METADATA, refusals=(413,))
    def metadata(request: Request) -> Response:
        query = metadata_query(request.parameters)
        return Response(200, JSON, report_unix_metadata(store, instruments, clock.now(), query))
