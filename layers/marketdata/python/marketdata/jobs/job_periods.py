"""How often each scheduled job is to run, for whoever asks whether one was missed; infra/catalog.py schedules them."""

from datetime import timedelta

PERIODS: dict[str, timedelta] = {
    "roll_up": timedelta(minutes=1),
    "gap_scan": timedelta(minutes=5),
    "backfill": timedelta(minutes=1),
    "reconcile": timedelta(days=1),
    "audit_coverage": timedelta(days=1),
    "roi_stats": timedelta(minutes=15),
    "fetch_snapshots": timedelta(minutes=15),
}
"""Every job of the catalog but the one that asks: that it runs, whoever misses its daily sign of life knows."""
