"""Several processes on one socket: started, started again when one dies, and ended together."""

import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess

_LOOK_SECONDS = 0.5
_BACKLOG = 2_048


def run_workers(
    work: Callable[[socket.socket], None],
    address: tuple[str, int],
    count: int,
    patience: float,
    *,
    ended: Callable[[int], object] = lambda _: None,
) -> None:
    """Run processes until this one is told to end; then they are told, and waited for.

    Parameters
    ----------
    work
        What each process does with the socket; it ends when the process gets SIGTERM.
    address
        Where they listen.
    count
        How many.
    patience
        Seconds after which a process that doesn't end is killed.
    ended
        Is told the id of a process that died.
    """
    context = multiprocessing.get_context("spawn")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.create_server(address, family=family, backlog=_BACKLOG) as listening:

        def started() -> BaseProcess:
            process = context.Process(target=work, args=(listening,))
            process.start()
            return process

        processes = [started() for _ in range(count)]
        while not ending.wait(_LOOK_SECONDS):
            for place, one in enumerate(processes):
                if not one.is_alive():
                    ended(one.pid or 0)
                    processes[place] = started()
        for process in processes:
            process.terminate()
    for process in processes:
        process.join(patience)
        if process.is_alive():
            process.kill()
            process.join()
