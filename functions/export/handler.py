"""Write the exports that were ordered (POST /v1/exports), and let go of those whose time is over. Every two minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "export", "time": "2026-08-09T21:19:00Z"}
Answer: {"status": "success", "job": "export",
         "result": {"done": 1, "failed": 0, "unfinished": 0, "rows": 525600, "expired": 0},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "export"
# The file that is being sent when the time is over is sent before Lambda cuts it off.
MARGIN = timedelta(seconds=30)
COUNTED = ("done", "failed", "rows")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
