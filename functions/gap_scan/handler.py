"""Find what is missing and put it on the gap ledger; take off it what is held by now. Every five minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "gap_scan", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "gap_scan",
         "result": {"drained": true, "closed": 1, "market_closed": 0, "recorded": 2, "minutes": 35, "unresolved": 2,
                    "unresolved_seconds": 300,
                    "instruments": [{"exchange": "coinbase", "symbol": "BTC-USD", "spans": 2, ...}]},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "gap_scan"
# What has begun when the deadline comes must end before Lambda cuts it off.
MARGIN = timedelta(seconds=15)

application = job_application(JOB, margin=MARGIN, counted=("unresolved", "unresolved_seconds"))
handler = entry_point(JOB, application)
