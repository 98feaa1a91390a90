"""Judge the system and the markets, and tell whoever is to know. Every minute; it looks again until its time is over.

Event (from EventBridge Scheduler, or the local one): {"job": "alerts", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "alerts",
         "result": {"evaluations": 4, "fired": 1, "resolved": 0, "messages": 1, "delivered": 1, "failed": 0, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta

from marketdata.job_function import entry_point, job_application

JOB = "alerts"
# A try that has begun may take 15 seconds, and is written down before Lambda cuts it off.
MARGIN = timedelta(seconds=18)
COUNTED = ("fired", "resolved", "delivered", "failed")

application = job_application(JOB, margin=MARGIN, watching=True, counted=COUNTED)
handler = entry_point(JOB, application)
