"""Hold coverage to the rows: what it says wrongly is queued for repair. Once a day.

Event (from EventBridge Scheduler, or the local one): {"job": "audit_coverage", "time": "2026-08-09T03:47:00Z"}
Answer: {"status": "success", "job": "audit_coverage",
         "result": {"spans": 36, "left": 0, "faults": 0, "listed": []},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "audit_coverage"
# The last month of one instrument is compared before Lambda cuts it off.
MARGIN = timedelta(seconds=25)
COUNTED = ("spans", "left", "faults")

application = job_application(JOB, margin=MARGIN, counted=COUNTED)
handler = entry_point(JOB, application)
