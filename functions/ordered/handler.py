"""Run the jobs that were ordered by those who do not wait for them (`Prefer: respond-async`). Every two minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "ordered", "time": "2026-08-09T21:19:00Z"}
Answer: {"status": "success", "job": "ordered", "result": {"done": 1, "failed": 0},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "ordered"
# As much as statistics have (functions/roi_stats), the most that is ordered.
MARGIN = timedelta(seconds=25)
COUNTED = ("done", "failed")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
