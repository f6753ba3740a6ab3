"""The batches, as the store knows them: the same whichever worker is asked."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tokenkit.batches.figures import Total
from tokenkit.batches.queue import Batches
from tokenkit.service.metrics.held import HeldCollector

_HELD_SECONDS = 1.0
_NONE = {
    Total(measure=measure, outcome=outcome): 0
    for measure, outcomes in {
        "batches": ("complete", "failed", "cancelled"),
        "rows": ("written", "rejected"),
    }.items()
    for outcome in outcomes
}
"""What there is before the first batch, so that its step from nothing is seen."""


class BatchCollector(HeldCollector):
    """Tells of the queue and of what was done, looking into the store once a second at most.

    Parameters
    ----------
    batches
        The batches. While the store can't be read these metrics are left out.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__(_HELD_SECONDS)
        self._batches = batches

    def looked(self) -> Iterator[Metric]:
        """Look at the queue, and at what was done."""
        yield from self._queue()
        yield from self._totals()

    def _queue(self) -> Iterator[Metric]:
        facts = self._batches.facts()
        waiting = GaugeMetricFamily(
            "tokenkit_batch_queue_batches", "Batches that wait.", labels=["size"]
        )
        waiting.add_metric(["small"], facts.small_waiting)
        waiting.add_metric(["large"], facts.waiting - facts.small_waiting)
        yield waiting
        yield GaugeMetricFamily(
            "tokenkit_batch_queue_oldest_seconds",
            "How long the batch has waited that has waited longest.",
            value=facts.oldest_seconds,
        )
        yield GaugeMetricFamily(
            "tokenkit_running_batches", "Batches that are worked on.", value=facts.running
        )

    def _totals(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily] = {
            "batches": CounterMetricFamily(
                "tokenkit_batches", "Batches that are over.", labels=["outcome"]
            ),
            "rows": CounterMetricFamily(
                "tokenkit_batch_rows", "Rows of complete batches.", labels=["outcome"]
            ),
            "values": CounterMetricFamily(
                "tokenkit_batch_values",
                "Values of complete batches.",
                labels=["operation", "scheme", "key", "outcome"],
            ),
        }
        for total, count in (_NONE | self._batches.totals()).items():
            labels = [total.outcome]
            if total.measure == "values":
                labels = [total.operation, total.scheme, total.key, total.outcome]
            families[total.measure].add_metric(labels, count)
        yield from families.values()
