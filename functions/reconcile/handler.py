"""Hold our candles against the exchanges' own, and repair where rank allows. Once a day.

Event (from EventBridge Scheduler, or the local one): {"job": "reconcile", "time": "2026-08-09T03:17:00Z"}
Answer: {"status": "success", "job": "reconcile",
         "result": {"instruments": 3, "compared": 1812, "mismatched": 2, "repaired": 2, "fields": {"close": 2}, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "reconcile"
# The last request waits for its turn and its answer, and what it brought is written, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)
COUNTED = ("compared", "mismatched", "repaired", "ordered", "kept", "venue_absent", "malformed")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
