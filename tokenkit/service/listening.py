"""Ending a listening socket without resetting who is in its queue."""

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterable

_SO_ATTACH_FILTER = 26
_FLAGS = 13
"""Where the flags are in a TCP header, at which a filter of a TCP socket begins."""
_SYN = 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_NO_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (_LOAD_BYTE, 0, 0, _FLAGS),
        (_JUMP_IF_SET, 0, 1, _SYN),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, 0xFFFFFFFF),
    )
)


def refuse_connections(descriptors: Iterable[int]) -> None:
    """Let no more connections into the queues of listening sockets; what is in them stays.

    Closing a listening socket resets the connections that the system has made and the process
    hasn't taken yet, and these may have sent a request. So first no new one gets in (on Linux, by a
    packet filter of the socket's own that drops SYN), then the queue is emptied, and then it can be
    closed. Whoever tried meanwhile is refused when the system tries again. Elsewhere this does
    nothing.
    """
    if sys.platform != "linux":
        return
    content = ctypes.create_string_buffer(_NO_SYN)
    program = struct.pack("HL", len(_NO_SYN) // 8, ctypes.addressof(content))
    for descriptor in descriptors:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            try:
                listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            except OSError:
                # A system that has no such filters; the window is a moment, and was open before.
                continue
