"""``python -m benchmarks``: one table of this project, its peers and the processor's limit."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import audit, connectors, job, kernel, lineage, objects, report, service
from benchmarks.measure import Line, Measurement
from benchmarks.workloads import TASKS, Task

_WIDTH = 128


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="rounds a line; the median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of rows")
    parser.add_argument("--only", default="", help="lines whose title contains this text")
    parser.add_argument("--no-kernel", action="store_true", help="leave out the kernel alone")
    parser.add_argument("--no-job", action="store_true", help="leave out the jobs")
    parser.add_argument("--no-tables", action="store_true", help="leave out PostgreSQL's tables")
    parser.add_argument("--no-objects", action="store_true", help="leave out the object store")
    parser.add_argument("--no-service", action="store_true", help="leave out the REST service")
    parser.add_argument("--no-store", action="store_true", help="leave out lineage and audit")
    parser.add_argument("--job-rows", type=int, default=10_000_000)
    parser.add_argument("--output", type=Path, help="also write the results; ends in .json or .md")
    options = parser.parse_args()
    # Narrow terminals wrap a line rather than lose a column.
    console = Console(width=max(Console().width, _WIDTH))

    lines: list[tuple[Line, Measurement]] = []
    if not options.no_kernel:
        console.print("measuring the kernel alone ...", style="dim")
        lines += kernel.measure()
    for title, task in TASKS.items():
        if options.only in title:
            console.print(f"measuring {title} ...", style="dim")
            lines.append((task.line, _in_child(task, options.scale, options.repeats)))
    tables = [report.values_table(lines)]
    if not options.no_job:
        console.print("measuring the jobs ...", style="dim")
        # The largest, once, only shows that the peak has stopped growing.
        sizes = {options.job_rows // 10: 3, options.job_rows: 3, 3 * options.job_rows: 1}
        runs = [
            run
            for suffix in ("parquet", "csv")
            for rows, repeats in sizes.items()
            for run in job.measure(rows, repeats, suffix)
        ]
        tables.append(report.job_table(runs))
    if not options.no_tables:
        console.print("measuring jobs over PostgreSQL ...", style="dim")
        tables.append(report.connectors_table(*connectors.results(options.job_rows // 2)))
    if not options.no_objects:
        console.print("measuring the object store ...", style="dim")
        half = options.job_rows // 2
        sizes = {half // 5: 3, half: 3, 3 * half: 1}
        runs = [run for rows, repeats in sizes.items() for run in objects.measure(rows, repeats)]
        tables.append(report.objects_table(runs))
    if not options.no_service:
        console.print("measuring the service ...", style="dim")
        tables.append(report.service_table(*service.results()))
    if not options.no_store:
        console.print("measuring lineage ...", style="dim")
        tables.append(report.lineage_table(*lineage.results(100_000, options.repeats)))
        console.print("measuring the audit log ...", style="dim")
        tables.append(report.audit_table(*audit.results()))
    for table in tables:
        report.print_table(console, table)
    if options.output:
        report.write(options.output, tables)


def _in_child(task: Task, scale: float, repeats: int) -> Measurement:
    environment = os.environ | {
        "POLARS_MAX_THREADS": str(task.line.cores),
        "TOKENKIT_THREADS": str(task.line.cores),
        "TOKENKIT_KERNEL": task.line.kernel,
    }
    rows = max(1, int(task.rows * scale))
    what = [task.line.title, str(rows), str(repeats)]
    command = [sys.executable, "-m", "benchmarks.workloads", *what]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Measurement.from_json(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
