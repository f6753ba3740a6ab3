"""A pool of batch workers in a process of its own, for tests that kill it."""

import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.opening import open_workshop


def main() -> None:
    """Run until killed; says the workers' ids."""
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    opened = partial(open_workshop, None, str(folder / "batches"), folder / "policies")
    with opened() as workshop:
        pool = WorkerPool(opened, workers, workshop.batches.give_back)
        with closing(pool):
            sys.stdout.write(f"{' '.join(map(str, pool.process_ids))}\n")
            sys.stdout.flush()
            try:
                while True:
                    time.sleep(60)
            except KeyboardInterrupt:
                # As a service that lets its requests end before its workers.
                time.sleep(2)


if __name__ == "__main__":
    main()
