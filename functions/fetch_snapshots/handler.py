"""Fetch what whole assets are worth, over many exchanges; nothing, unless COINGECKO_IDS names some. Every 15 minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "fetch_snapshots", "time": "2026-08-09T21:22:00Z"}
Answer: {"status": "success", "job": "fetch_snapshots",
         "result": {"snapshots": 12, "indexed": 0, "changed": 12, "absent": [], "waiting": [], "stopped": "", ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "fetch_snapshots"
# The last request waits for its turn and its answer, and what it brought is written, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)
COUNTED = ("snapshots", "indexed", "changed", "malformed")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
