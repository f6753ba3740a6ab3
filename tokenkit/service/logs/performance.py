"""Lines on how the process does, every few seconds."""

import os
import resource
import threading
from typing import TYPE_CHECKING

from tokenkit.service.logs.streams import Logs

if TYPE_CHECKING:
    from tokenkit.service.state import ServiceState


def tell_performance(logs: Logs, state: "ServiceState") -> None:
    """Write how much is done at the moment, and what waits."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    logs.performance.info(
        "process",
        process_id=os.getpid(),
        cpu_seconds=round(used.ru_utime + used.ru_stime, 3),
        threads=threading.active_count(),
        requests_in_flight=state.metrics.in_flight,
        audit_queue_records=state.audit.waiting,
        audit_lag_seconds=round(state.audit.lag, 6),
        thread_queue_calls=state.waiting,
        log_queue_lines=logs.writer.waiting,
    )
