"""The one door of the house, http://localhost:8100: page, API, live stream, Supabase, and the simulated exchange."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from marketdata.store.file_shelf import LOCAL_PATH

from local.api_gateway import add_api_routes
from local.feed_door import add_feed_routes
from local.supabase_gateway import add_supabase_routes
from local.supabase_keys import SupabaseKeys

DASHBOARD = Path(__file__).resolve().parents[1] / "dashboard"
SIMULATOR_PATH = "/simulator"
SYNTHETIC_PATH = "/synthetic"
_BODY_BYTES_MAX = 64 * 2**20
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def front(
    *,
    supabase_url: str,
    supabase_keys: SupabaseKeys,
    feed_url: str,
    invented: Mapping[str, web.Application],
    files: Path | None = None,
) -> web.Application:
    """The whole application; `invented` are the exchanges that this house invents, each at a path of its own.

    `files` is the folder of exports, whose names nobody guesses; a house without one has no exports.
    """
    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    add_supabase_routes(app, supabase_url, supabase_keys)
    add_api_routes(app)
    add_feed_routes(app, feed_url)
    if files is not None:
        _add_files(app, files)
    for path, exchange in invented.items():
        app.add_subapp(path, exchange)
    _add_page(app)
    return app


def _add_files(app: web.Application, folder: Path) -> None:
    async def file(request: web.Request) -> web.StreamResponse:
        path = folder / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "private, no-store"})

    app.router.add_get(LOCAL_PATH + "{name:[0-9a-f]{32}[.]parquet}", file)


def _add_page(app: web.Application) -> None:
    async def index(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(DASHBOARD / "index.html", headers=_PAGE_HEADERS)

    async def part(request: web.Request) -> web.StreamResponse:
        path = (DASHBOARD / request.match_info["path"]).resolve()
        if not path.is_relative_to(DASHBOARD) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=_PAGE_HEADERS)

    app.router.add_get("/", index)
    app.router.add_get("/{path:[a-z].*}", part)
