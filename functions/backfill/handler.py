"""Order the history of new instruments, and fill gaps of the ledger from the exchanges, newest first. Every minute.

Nobody waits for it, so that it goes on looking for new gaps for as long as its time lasts.

Event (from EventBridge Scheduler, or the local one): {"job": "backfill", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "backfill",
         "result": {"ordered": [], "claimed": 3, "filled": 2, "candles": 64, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "backfill"
# The last request waits for its turn and its answer, and what it brought is written, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)

application = job_application(JOB, margin=MARGIN, watching=True)
handler = entry_point(JOB, application)
