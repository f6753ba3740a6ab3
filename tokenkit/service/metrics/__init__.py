"""Metrics for Prometheus: the application, the business, and the system under them."""

from tokenkit.service.metrics.application import (
    FOLDER_VARIABLE,
    UNMATCHED,
    Metrics,
    MetricsGuard,
    Sample,
    forget_worker,
    shared_folder,
)

__all__ = [
    "FOLDER_VARIABLE",
    "UNMATCHED",
    "Metrics",
    "MetricsGuard",
    "Sample",
    "forget_worker",
    "shared_folder",
]
