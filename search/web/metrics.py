"""Metrics of the HTTP server, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lsif_ingest_requests",
            "Requests by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "lsif_ingest_request_seconds",
            "Seconds that requests took",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.phases = Histogram(
            "lsif_ingest_search_phase_seconds",
            "Seconds of searches by phase: encode, qdrant, fuse",
            ["mode", "phase"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unsure = Counter(
            "lsif_ingest_searches_without_good_match",
            "Searches without a good match",
            registry=self.registry,
        )
        self.structures = Gauge(
            "lsif_ingest_structures",
            "Structures that can be found",
            ["project"],
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
