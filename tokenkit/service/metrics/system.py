"""The host and the process: processor, memory, disk and network."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PROCESS = psutil.Process()
_MODES = ("user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal")


class HostCollector(Collector):
    """Looks at the host when it is asked, so that several workers don't count it several times.

    Parameters
    ----------
    folder
        A folder of the file system whose room is told.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Look now."""
        spent = psutil.cpu_times()
        cpu = CounterMetricFamily(
            "tokenkit_host_cpu_seconds", "Seconds of the host's processors.", labels=["mode"]
        )
        for mode in _MODES:
            if hasattr(spent, mode):
                cpu.add_metric([mode], getattr(spent, mode))
        yield cpu
        yield GaugeMetricFamily(
            "tokenkit_host_cpus", "Processors of the host.", value=psutil.cpu_count() or 1
        )
        memory = psutil.virtual_memory()
        yield _gauge("memory", "Memory of the host.", total=memory.total, free=memory.available)
        room = psutil.disk_usage(str(self._folder))
        yield _gauge("disk", "The file system of the folder.", total=room.total, free=room.free)
        disk = psutil.disk_io_counters()
        if disk is not None:
            yield _counter("disk_io", "Disks.", read=disk.read_bytes, write=disk.write_bytes)
        net = psutil.net_io_counters()
        if net is not None:
            yield _counter("network", "Network.", receive=net.bytes_recv, transmit=net.bytes_sent)


def _gauge(name: str, text: str, **states: float) -> Metric:
    found = GaugeMetricFamily(f"tokenkit_host_{name}_bytes", text, labels=["state"])
    for state, value in states.items():
        found.add_metric([state], value)
    return found


def _counter(name: str, text: str, **directions: float) -> Metric:
    found = CounterMetricFamily(f"tokenkit_host_{name}_bytes", text, labels=["direction"])
    for direction, value in directions.items():
        found.add_metric([direction], value)
    return found


def process_counters() -> dict[tuple[str, ...], float]:
    """Give what this process has used so far."""
    spent = _PROCESS.cpu_times()
    counters: dict[tuple[str, ...], float] = {
        ("process_cpu_seconds", "user"): spent.user,
        ("process_cpu_seconds", "system"): spent.system,
    }
    if hasattr(_PROCESS, "io_counters"):
        try:
            done = _PROCESS.io_counters()
        except psutil.Error:
            return counters
        counters["process_io_bytes", "read"] = done.read_bytes
        counters["process_io_bytes", "write"] = done.write_bytes
    return counters


def process_gauges() -> dict[tuple[str, ...], float]:
    """Give what this process holds now."""
    return {
        ("processes",): 1,
        ("process_resident_memory_bytes",): _PROCESS.memory_info().rss,
        ("process_open_fds",): _PROCESS.num_fds(),
        ("process_threads",): _PROCESS.num_threads(),
        ("process_oldest_seconds",): time.time() - _PROCESS.create_time(),
    }
