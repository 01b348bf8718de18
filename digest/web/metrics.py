"""What Prometheus reads: a few numbers asked of the store at each scrape. docs/monitoring.md has every name.

No name, address or title of anybody is in it. Nothing is asked that would walk through every mail or paper there ever was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from digest import __version__
from digest.app import App
from digest.app.post import SILENT
from digest.model import Outcome, SubscriberStatus

OUTCOMES: tuple[str, ...] = get_args(Outcome)
RUN_STATUSES = ("running", "done", "degraded", "failed")
PAPER_COUNTS = ("parsed", "new", "updated", "seen", "dropped", "failed")
LIVE = ("queued", "sending", "deferred")
SUBSCRIBER_STATUSES: tuple[str, ...] = get_args(SubscriberStatus)
# Subscribers and what is queued are counted one by one: counting them takes a fiftieth of the time, however many there are.
_SHARE = 50


class Count:
    """What a question that grows with its answer said last; it is asked again when that is cheap enough."""

    def __init__(self, ask: Callable[[], dict[str, int]]) -> None:
        self._ask = ask
        self._again_at = 0.0
        self._found: dict[str, int] = {}

    def __call__(self) -> dict[str, int]:
        began = time.monotonic()
        if began >= self._again_at:
            self._found = self._ask()
            self._again_at = began + (time.monotonic() - began) * _SHARE
        return self._found


class StoreCollector(Collector):
    """Asks the store each time that it is collected, at the moment `now`. Raises StoreError."""

    def __init__(self, app: App) -> None:
        self._app, self._config = app, app.config
        self.now = app.clock()
        self._live = Count(lambda: app.store.live_deliveries())
        self._subscribers = Count(lambda: app.store.subscriber_counts())
        self._jobs = Count(
            lambda: {f"{t} {s}": n for t, c in app.store.job_counts().items() for s, n in c.items()}
        )

    def collect(self) -> Iterator[Metric]:
        yield from self._build()
        yield from self._digests()
        yield from self._sources()
        yield from self._mail()
        yield from self._fleet()

    def _build(self) -> Iterator[Metric]:
        facts = {
            "version": __version__,
            "store": self._config.store.url.partition(":")[0],
            "engine": self._config.engine.kind,
        }
        yield InfoMetricFamily("digest_build", "Version, kind of store, and engine.", facts)

    def _digests(self) -> Iterator[Metric]:
        last = _gauge(
            "digest_last_success_timestamp_seconds", "When the last run that did well began.", "digest"
        )
        silent = _gauge(
            "digest_silent_seconds",
            "Since when the digest has missed a time at which it was due; 0 where it has not.",
            "digest",
        )
        duration = _gauge(
            "digest_run_duration_seconds", "How long the last run took that has ended.", "digest"
        )
        status = _gauge("digest_run_status", "1 for how the last run ended.", "digest", "status")
        waiting = _gauge("digest_papers_waiting", "Papers that wait for the next edition.", "digest")
        for pulse in self._app.pulses(self.now):
            name = [pulse.digest]
            if pulse.last_success:
                last.add_metric(name, pulse.last_success.timestamp())
            if pulse.scheduled:
                silent.add_metric(name, _age(pulse.missed, self.now))
            run = self._app.store.newest_run(pulse.digest)
            if run is not None:
                _states(status, name, RUN_STATUSES, run.status)
                if run.finished_at:
                    duration.add_metric(name, (run.finished_at - run.started_at).total_seconds())
            waiting.add_metric(name, self._app.store.count_waiting(pulse.digest))
        yield from (last, silent, duration, status, waiting)

    def _sources(self) -> Iterator[Metric]:
        outcome = _gauge("digest_source_outcome", "1 for the outcome of the last run.", "source", "outcome")
        papers = _gauge("digest_source_papers", "Papers of the last run.", "source", "status")
        read = _gauge(
            "digest_source_run_timestamp_seconds", "When the last run began that asked it.", "source"
        )
        for source in self._config.source:
            if source.enabled:
                for run in self._app.store.source_runs(source.name, limit=1):
                    _states(outcome, [source.name], OUTCOMES, run.outcome)
                    for status in PAPER_COUNTS:
                        papers.add_metric([source.name, status], getattr(run, status))
                    read.add_metric([source.name], run.run_at.timestamp())
        yield from (outcome, papers, read)

    def _mail(self) -> Iterator[Metric]:
        store = self._app.store
        created = CounterMetricFamily("digest_deliveries_created", "Deliveries that were ever queued.")
        created.add_metric([], store.deliveries_ever())
        yield created
        live = _gauge("digest_deliveries", "Deliveries that are not ended.", "status")
        _counts(live, LIVE, self._live())
        yield live
        yield GaugeMetricFamily(
            "digest_delivery_oldest_due_age_seconds",
            "For how long the oldest delivery could go that does not; 0 where none waits.",
            _age(store.next_due(), self.now),
        )
        subscribers = _gauge("digest_subscribers", "Subscribers.", "status")
        _counts(subscribers, SUBSCRIBER_STATUSES, self._subscribers())
        yield subscribers
        yield GaugeMetricFamily(
            "digest_letters_waiting", "Letters that are queued or being sent.", store.letters_waiting()
        )

    def _fleet(self) -> Iterator[Metric]:
        if self._config.engine.kind != "procrastinate":
            return
        jobs = _gauge("digest_jobs", "Jobs of the engine.", "task", "status")
        for name, count in sorted(self._jobs().items()):
            jobs.add_metric(name.split(" "), count)
        yield jobs
        heard = self._app.store.workers_heard(SILENT)
        yield GaugeMetricFamily(
            "digest_workers", "Workers that were heard of in the last half minute.", len(heard)
        )


class Metrics:
    """The metrics of an App that nothing else uses, and of this process."""

    def __init__(self, app: App) -> None:
        self._store = StoreCollector(app)
        self._registry = CollectorRegistry()
        self._registry.register(self._store)
        ProcessCollector(registry=self._registry)

    def text(self, accept: str, *, now: datetime) -> tuple[bytes, str]:
        """The metrics in the format that the Accept header asks for, and its type. Not for two threads at once. Raises
        StoreError."""
        self._store.now = now
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, labels=labels)


def _states(family: GaugeMetricFamily, labels: list[str], known: Iterable[str], state: str) -> None:
    """1 for the state that is, 0 for all that could be: a rule about one of them always finds it."""
    for each in known:
        family.add_metric([*labels, each], float(each == state))


def _counts(family: GaugeMetricFamily, known: Iterable[str], counts: dict[str, int]) -> None:
    for status in known:
        family.add_metric([status], counts.get(status, 0))


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
