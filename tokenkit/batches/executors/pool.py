"""Worker processes on the service's own host: a fixed number, started again when one dies.

One of several takes small batches only, so that they never wait behind large ones. A worker ends
when the process that started it does, however that ends: it holds one end of a pipe, and nobody
writes to the other.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.connection import Connection as Pipe
from typing import TYPE_CHECKING, Final

from tokenkit.batches.running import Workshop, run_batch
from tokenkit.errors import BatchLost, TokenkitError
from tokenkit.errors.places import place_of

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

IDLE_SECONDS: Final = 0.5
"""How often a worker that has nothing to do looks into the queue."""
_LOOK_SECONDS: Final = 0.25
_UNOPENED_SECONDS: Final = 2.5
_LOG = logging.getLogger("tokenkit.batches")


class WorkerPool:
    """Worker processes; :meth:`close` ends them, and their batches go back to the queue.

    Parameters
    ----------
    opened
        Opens, in each worker, what it needs; it has to be a function that a new process can import.
    workers
        How many.
    give_back
        Is told the name of a worker that died, to put its batch back into the queue.
    surroundings
        What a worker has around it for as long as it is, such as its logs; importable too.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Workshop]],
        workers: int,
        give_back: Callable[[str], object],
        surroundings: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._opened = opened
        self._surroundings = surroundings
        self._returned = give_back
        self._context = multiprocessing.get_context("spawn")
        self._ending = threading.Event()
        self._host = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._started = 0
        self._reader, self._writer = self._context.Pipe(duplex=False)
        self._processes: dict[int, tuple[str, BaseProcess]] = {}
        for place in range(workers):
            self._start(place, small_only=workers > 1 and place == 0)
        self._small_only = workers > 1
        self._thread = threading.Thread(target=self._watch, name="tokenkit-batches", daemon=True)
        self._thread.start()

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes that run."""
        return [process.pid or 0 for _, process in self._processes.values()]

    def close(self, patience: float = 10.0) -> None:
        """Tell the workers to end, and wait for them."""
        self._ending.set()
        self._thread.join()
        for _, process in self._processes.values():
            process.terminate()
        for name, process in self._processes.values():
            process.join(patience)
            if process.is_alive():
                process.kill()
                process.join()
                self._give_back(name)
        self._writer.close()
        self._reader.close()

    def _start(self, place: int, *, small_only: bool) -> None:
        self._started += 1
        name = f"{self._host}/{self._started}"
        process = self._context.Process(
            target=work,
            args=(self._opened, name, self._reader, small_only, self._surroundings),
            name=f"tokenkit-batch-{place}",
            daemon=True,
        )
        process.start()
        self._processes[place] = (name, process)

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            try:
                self._look()
            except Exception as exc:  # noqa: BLE001 - such as no memory for a process; it may come back
                _LOG.error("an unforeseen %s%s: no worker", type(exc).__name__, place_of(exc))
                self._ending.wait(_UNOPENED_SECONDS)

    def _look(self) -> None:
        for place, (name, process) in list(self._processes.items()):
            if not process.is_alive():
                _LOG.warning("a batch worker ended with %s", process.exitcode)
                self._give_back(name)
                self._start(place, small_only=self._small_only and place == 0)

    def _give_back(self, name: str) -> None:
        try:
            self._returned(name)
        except TokenkitError as error:
            # Its lease runs out by itself.
            _LOG.warning("a dead worker's batch can't be given back yet: %s", error.code)


def work(
    opened: Callable[[], AbstractContextManager[Workshop]],
    name: str,
    parent: Pipe,
    small_only: bool,
    surroundings: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Do batches until the process is told to end, or the one that started it is gone.

    Parameters
    ----------
    opened
        Opens what the work needs.
    name
        Who this worker is.
    parent
        A pipe that ends when the parent does.
    small_only
        Whether large batches are left to others.
    surroundings
        What is around the work.
    """
    # Ctrl-C is for the parent, which ends its workers when it is ready.
    os.setpgrp()
    ending = threading.Event()

    def told(_number: int, _frame: object) -> None:
        ending.set()
        # The job that runs ends as by an interrupt, and its batch goes back to the queue.
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, told)
    # A batch that is cancelled ends by an interrupt, which a service started by `nohup` or in a
    # script's background ignores, and its workers with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with surroundings():
        _work(opened, name, ending, small_only=small_only)


def _work(
    opened: Callable[[], AbstractContextManager[Workshop]],
    name: str,
    ending: threading.Event,
    *,
    small_only: bool,
) -> None:
    try:
        while not ending.is_set():
            try:
                with opened() as workshop:
                    # One whose keyring has changed is opened anew.
                    while workshop.is_current and not ending.is_set():
                        _work_once(workshop, name, ending, small_only=small_only)
            except TokenkitError as error:
                _LOG.warning("a batch worker can't begin: %s", error.code)
                ending.wait(_UNOPENED_SECONDS)
    except KeyboardInterrupt:
        if not ending.is_set():
            raise
        with opened() as workshop:
            workshop.batches.give_back(name, died=False)


def _work_once(workshop: Workshop, name: str, ending: threading.Event, *, small_only: bool) -> None:
    try:
        workshop.batches.give_back()
        batch = workshop.batches.claim(name, small_only=small_only)
        if batch is None:
            ending.wait(IDLE_SECONDS)
        else:
            run_batch(workshop, batch)
    except BatchLost:
        return
    except TokenkitError as error:
        _LOG.warning("a batch worker waits: %s", error.code)
        ending.wait(5 * IDLE_SECONDS)


def _end_with(parent: Pipe) -> None:
    try:
        parent.recv()
    except (EOFError, OSError):
        # Nobody is there any more to see how it ends.
        os._exit(1)
