"""The door of jobs: a process that takes its share of the work, on any number of machines, until it is told to stop.

The engine (procrastinate) says which job is next; what a job means is a plain function of the App. A job is only a "go": the truth
is in the tables of the store, so a job that is lost, or done twice, costs nothing but time.
"""

from __future__ import annotations

from digest.worker.work import Worker

__all__ = ["Worker"]
