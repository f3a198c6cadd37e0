"""Metrics for Prometheus and health, of every process; needs the extra `dashboard`.

`names` has every metric, `endpoint` serves them beside what the process does, `worker` says what
a worker has to tell. What the dashboard tells of the whole is `stream/dashboard/exposition.py`.
"""
