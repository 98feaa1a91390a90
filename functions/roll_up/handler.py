"""Drain the queue of changed minutes into coarser candles, and keep room for the days to come. Every minute.

Event (from EventBridge Scheduler, or the local one): {"job": "roll_up", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "roll_up", "result": {"entries": 12, "rounds": 1, "drained": true, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "roll_up"
# A round that has begun when the deadline comes must end before Lambda cuts it off.
MARGIN = timedelta(seconds=15)

application = job_application(JOB, margin=MARGIN)
handler = entry_point(JOB, application)
