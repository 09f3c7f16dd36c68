"""Ports on loopback for servers under test: each process has blocks of its own for as long as it lives, so that scripts may run side by side.

They lie below the range that outgoing connections use."""
import fcntl
import os
import socket
import tempfile
import threading

FIRST, BLOCK, BLOCKS = 12000, 64, 240
FOLDER = os.path.join(tempfile.gettempdir(), f"posthouse-ports-{os.getuid()}")


class Blocks:
    """Hands out each port once."""

    def __init__(self):
        self.lock, self.left, self.held = threading.Lock(), [], []

    def more(self):
        """A block that no other process has: its file is locked until this process ends."""
        os.makedirs(FOLDER, exist_ok=True)
        for turn in range(BLOCKS):
            number = (os.getpid() + turn) % BLOCKS
            file = open(os.path.join(FOLDER, str(number)), "w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            self.held.append(file)
            self.left += range(FIRST + number * BLOCK, FIRST + (number + 1) * BLOCK)
            return
        raise RuntimeError(f"all ports from {FIRST} on are taken: {FOLDER}")

    def one(self):
        if not self.left:
            self.more()
        return self.left.pop(0)


OURS = Blocks()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    """Ports that nobody has, and that this process gets no second time."""
    out = []
    with OURS.lock:
        while len(out) < count:
            port = OURS.one()
            if is_free(port):
                out.append(port)
    return out
