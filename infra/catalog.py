"""THE table of functions, routes and schedules. The deployed stack and the local one are both made from it.

Plain data: the cloud's construction kit is not imported here, so that a laptop and a test can read it.
"""

from dataclasses import dataclass

DEFAULT_PATH = "$default"
"""API Gateway's own name for "whatever no other route takes"."""


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function: the folder `functions/<name>`, whose handler.py has `handler`.

    `concurrency_reserved` of 1 keeps runs from overlapping; None leaves it to the account.
    """

    name: str
    description: str
    timeout_seconds: int
    memory_megabytes: int
    concurrency_reserved: int | None = None

    @property
    def path(self) -> str:
        """The folder, from the root of the repository."""
        return f"functions/{self.name}"

    @property
    def module(self) -> str:
        """The handler's module, as the local stack imports it."""
        return f"functions.{self.name}.handler"


@dataclass(frozen=True, slots=True)
class Route:
    """What API Gateway sends to which function; `{name}` in a path is a parameter."""

    method: str
    path: str
    function: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that runs by the clock: `after_minutes` after every whole multiple of `every_minutes`, which divides a day.

    Its function gets `{"job": job, "time": <the scheduled time, RFC 3339>}`.
    """

    job: str
    function: str
    every_minutes: int
    after_minutes: int = 0


# CPU comes with memory, and a cold start is mostly imports: below 512 MB they take seconds.
# An HTTP API waits 30 s, so nothing behind a route may take longer.
FUNCTIONS: tuple[Function, ...] = (
    Function("api", "Answers whatever clients ask.", timeout_seconds=20, memory_megabytes=512),
    Function("ingest", "Takes what someone pushes: trades, ticks, symbols.", timeout_seconds=29, memory_megabytes=512),
    Function("cron", "Runs a job now, for an operator.", timeout_seconds=29, memory_megabytes=512),
    Function(
        "roll_up",
        "Drains changed minutes into coarser candles, and makes room for the days to come.",
        timeout_seconds=55,  # less than the minute to its next run
        memory_megabytes=256,  # it waits for the database, which does the work
        concurrency_reserved=1,
    ),
    Function(
        "gap_scan",
        "Finds missing history and puts it on the ledger.",
        timeout_seconds=110,  # a queue of changes that has grown long is drained first
        memory_megabytes=256,  # it too waits for the database
        concurrency_reserved=1,
    ),
    Function(
        "backfill",
        "Fills gaps of the ledger from the exchanges.",
        timeout_seconds=55,  # less than the minute to its next run
        memory_megabytes=512,  # it folds trades
        concurrency_reserved=1,
    ),
    Function(
        "reconcile",
        "Holds our candles against the exchanges' own.",
        timeout_seconds=300,  # two requests and more for each instrument, at the exchange's pace
        memory_megabytes=256,  # it waits for the exchange
        concurrency_reserved=1,
    ),
    Function(
        "audit_coverage",
        "Holds coverage to the rows.",
        timeout_seconds=600,  # a year of each instrument, month by month
        memory_megabytes=256,  # it waits for the database
        concurrency_reserved=1,
    ),
    Function(
        "fetch_snapshots",
        "Fetches what whole assets are worth, if any are configured.",
        timeout_seconds=300,  # a request for each asset that is new, at half a one a second
        memory_megabytes=256,  # it waits for the source
        concurrency_reserved=1,
    ),
    Function(
        "roi_stats",
        "Computes return and risk, snapshots, aggregates and comparisons of every market.",
        timeout_seconds=300,  # some thousand closes of each market, read from the database
        memory_megabytes=256,  # it waits for the database
        concurrency_reserved=1,
    ),
    Function(
        "export",
        "Writes the files of candles that somebody ordered.",
        timeout_seconds=115,  # less than the two minutes to its next run
        memory_megabytes=1024,  # a month of minutes, and pyarrow
        concurrency_reserved=1,
    ),
    Function(
        "ordered",
        "Runs the jobs that somebody ordered and does not wait for.",
        timeout_seconds=115,  # less than the two minutes to its next run
        memory_megabytes=512,  # any job may be ordered
        concurrency_reserved=1,
    ),
    Function(
        "alerts",
        "Judges the system and the markets, and tells whoever is to know.",
        timeout_seconds=58,  # less than the minute to its next run
        memory_megabytes=256,  # it waits for the database and for receivers
        concurrency_reserved=1,
    ),
    Function(
        "announce_alarm",
        "Tells the alert webhook of an alarm of CloudWatch.",
        timeout_seconds=30,  # one webhook has fifteen
        memory_megabytes=256,
    ),
)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/candles", "api"),
    Route("GET", "/v1/candles/latest", "api"),
    Route("POST", "/v1/exports", "api"),
    Route("GET", "/v1/exports/{id}", "api"),
    Route("GET", "/v1/candles/count", "api"),
    Route("GET", "/candles", "api"),
    Route("GET", "/candles/latest", "api"),
    Route("GET", "/gaps", "api"),
    Route("GET", "/symbols", "api"),
    Route("GET", "/status", "api"),
    Route("GET", "/health", "api"),
    Route("GET", "/api/candles", "api"),
    Route("GET", "/api/metadata", "api"),
    Route("GET", "/api/metrics", "api"),
    Route("GET", "/api/v1/health/liveness", "api"),
    Route("GET", "/api/v1/health/readiness", "api"),
    Route("GET", "/docs", "api"),
    Route("GET", "/docs/{file}", "api"),
    Route("GET", "/v1/openapi.json", "api"),
    Route("GET", "/v1/gaps", "api"),
    Route("GET", "/v1/coverage", "api"),
    Route("GET", "/v1/roi", "api"),
    Route("GET", "/v1/snapshots", "api"),
    Route("GET", "/v1/comparisons", "api"),
    Route("GET", "/v1/jobs", "api"),
    Route("GET", "/v1/alerts", "api"),
    Route("GET", "/v1/instruments", "api"),
    Route("GET", "/v1/status", "api"),
    Route("GET", "/v1/health/live", "api"),
    Route("GET", "/v1/health/ready", "api"),
    Route("GET", "/v1/metadata", "api"),
    Route("GET", "/v1/metrics", "api"),
    Route("GET", "/metrics", "api"),
    Route("GET", "/v1/ticks/{symbol}", "api"),
    Route("GET", "/v1/ticks/{symbol}/history", "api"),
    Route("GET", "/api/v1/ticks/{symbol}", "api"),
    Route("GET", "/api/v1/ticks/{symbol}/history", "api"),
    Route("POST", "/v1/ingest", "ingest"),
    Route("POST", "/api/ingest", "ingest"),
    Route("POST", "/v1/webhooks/ticks", "ingest"),
    Route("POST", "/v1/webhooks/symbols", "ingest"),
    Route("POST", "/api/v1/webhooks/ticks", "ingest"),
    Route("POST", "/api/v1/webhooks/symbols", "ingest"),
    Route("GET", "/api/cron", "cron"),
    Route("GET", "/v1/cron/{job}", "cron"),
    Route("POST", "/v1/cron/{job}", "cron"),
    # Unknown routes and preflights: so that they too are answered in our words, and not in the gateway's.
    Route("ANY", DEFAULT_PATH, "api"),
)

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("roll_up", "roll_up", every_minutes=1),
    Schedule("gap_scan", "gap_scan", every_minutes=5),
    # After the scan, so that what it finds is fetched at once.
    Schedule("backfill", "backfill", every_minutes=1),
    Schedule("export", "export", every_minutes=2),
    Schedule("ordered", "ordered", every_minutes=2, after_minutes=1),
    # It looks again every few seconds until its minute is over.
    Schedule("alerts", "alerts", every_minutes=1),
    # At 03:17 UTC: away from the full hour, when markets and other people's jobs are busy.
    Schedule("reconcile", "reconcile", every_minutes=1440, after_minutes=197),
    Schedule("audit_coverage", "audit_coverage", every_minutes=1440, after_minutes=227),
    # Four minutes after the quarter: its last minute has settled, was scanned for, and is rolled up.
    Schedule("roi_stats", "roi_stats", every_minutes=15, after_minutes=4),
    # A demo key has 10,000 requests a month; this takes 3,000 for each quote currency.
    Schedule("fetch_snapshots", "fetch_snapshots", every_minutes=15, after_minutes=7),
)

NOTICES: tuple[str, ...] = ("announce_alarm",)
"""The functions that hear each alarm of the cloud's own watching."""


def function_named(name: str) -> Function:
    """The function of that name; a route or schedule that names none is a bug."""
    return next(function for function in FUNCTIONS if function.name == name)
