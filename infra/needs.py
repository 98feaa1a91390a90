"""What each function needs beside the store: secrets, layers, environment. Plain data, as the catalog.

A function can read the secrets of its row and no other; one without a row is not deployed, and a test says so.
"""

from dataclasses import dataclass

SUPABASE = "supabase"
EDGE, EDGE_SECRET, EDGE_HEADER = "edge", "EDGE_SECRET", "x-marketdata-edge"
"""The secret, its setting, and the header in which CloudFront presents it to the functions behind routes."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of Secrets Manager: a JSON object of settings, each under the name of its environment variable.

    `fields` are empty until someone sets them; `generated` is drawn by AWS at the first deployment. `optional`: made
    only where the settings name it in `sources`.
    """

    name: str
    description: str
    fields: tuple[str, ...] = ()
    generated: str = ""
    optional: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every setting that it holds."""
        return (*self.fields, *([self.generated] if self.generated else []))


@dataclass(frozen=True, slots=True)
class Needs:
    """What a function is given: `secrets` and `layers` by name, and whether it writes or reads the export bucket."""

    secrets: tuple[str, ...] = (SUPABASE,)
    layers: tuple[str, ...] = ()
    """Beside the library and what it imports, which every function has: folders of layers/."""
    environment: tuple[tuple[str, str], ...] = ()
    exports: bool = False


SECRETS: tuple[Secret, ...] = (
    Secret(
        SUPABASE,
        "The store: its address and its secret key; and what signs cursors, which stays when the key is rotated.",
        generated="CURSOR_SECRET",
        fields=("SUPABASE_URL", "SUPABASE_SECRET_KEY"),
    ),
    Secret("cron", "What an external clock presents to run a job.", generated="CRON_SECRET"),
    Secret(
        "ingest",
        "What pushes trades, ticks and symbols presents; several keys with commas between them.",
        generated="INGEST_API_KEYS",
    ),
    Secret(
        EDGE,
        "What CloudFront adds to each request, so that it is believed where the request came from.",
        generated=EDGE_SECRET,
    ),
    Secret(
        "alerts",
        "Whom alerts are sent to, beside the targets of the store, and what signs them.",
        fields=("ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET"),
        optional=True,
    ),
    Secret("oanda", "Who we are to OANDA.", fields=("OANDA_TOKEN", "OANDA_ACCOUNT"), optional=True),
    Secret("coingecko", "Who we are to CoinGecko.", fields=("COINGECKO_API_KEY",), optional=True),
    Secret(
        "redis",
        "Valkey or Redis that all instances share: an address that begins with rediss://.",
        fields=("REDIS_URL",),
        optional=True,
    ),
)

FEED = Needs(secrets=(SUPABASE, "oanda"))

# A run that goes on looking until its minute is over would be paid for all of it, some 15 dollars a month: on AWS the
# two jobs of each minute look once.
NEEDS: dict[str, Needs] = {
    "api": Needs(
        secrets=(SUPABASE, EDGE, "ingest", "redis"), exports=True
    ),  # any key reads, and links to files are signed
    "ingest": Needs(secrets=(SUPABASE, EDGE, "ingest", "redis")),
    "cron": Needs(secrets=(SUPABASE, EDGE, "cron", "oanda", "coingecko", "redis", "alerts")),  # it runs any job
    "roll_up": Needs(),
    "gap_scan": Needs(),
    "backfill": Needs(secrets=(SUPABASE, "oanda"), environment=(("BACKFILL_POLL_SECONDS", "0"),)),
    "reconcile": Needs(secrets=(SUPABASE, "oanda")),
    "audit_coverage": Needs(),
    "fetch_snapshots": Needs(secrets=(SUPABASE, "coingecko")),
    "roi_stats": Needs(),
    "export": Needs(layers=("arrow",), exports=True),
    "ordered": Needs(secrets=(SUPABASE, "oanda", "coingecko", "alerts")),  # it runs any job
    "announce_alarm": Needs(secrets=(SUPABASE, "alerts")),
    "alerts": Needs(secrets=(SUPABASE, "alerts"), environment=(("ALERT_POLL_SECONDS", "0"),)),
}
