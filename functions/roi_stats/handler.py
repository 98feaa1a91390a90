"""Compute return and risk, snapshots, aggregates and comparisons of every market. Every 15 minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "roi_stats", "time": "2026-08-09T21:19:00Z"}
Answer: {"status": "success", "job": "roi_stats",
         "result": {"as_of": "2026-08-09T21:15:00Z", "markets": 12, "snapshots": 12, "comparisons": 66, "left": 0, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "roi_stats"
# The market that has begun is computed, and all that were are compared, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)
COUNTED = ("markets", "roi_stats", "comparisons", "left", "pruned")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
