"""A small POP3 reader over a plain socket that gives exactly the bytes it is sent.

poplib takes an LF alone for a line end and bounds its lines; the checks here must not.
"""
import socket

from . import target


def unstuffed(heard):
    """The message in what stands before the final dot (RFC 1939 section 3)."""
    return (b"\r\n" + heard).replace(b"\r\n.", b"\r\n")[2:]


class Pop3:
    def __init__(self, user, timeout=60):
        self.sock = socket.create_connection((target.HOST, target.port("pop3")), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.ok()
        for command in (f"USER {user}", f"PASS {target.PASSWORD}"):
            self.command(command)

    def ok(self):
        line = self.file.readline()
        if not (line.startswith(b"+OK") and line.endswith(b"\r\n")):
            raise ConnectionError(f"no +OK: {line!r}")

    def command(self, text):
        self.sock.sendall(text.encode() + b"\r\n")
        self.ok()

    def lines(self):
        """The rest of a multi-line answer without its final dot."""
        out = [b"\r\n"]
        while (line := self.file.readline()) != b".\r\n" or not out[-1].endswith(b"\r\n"):
            if not line:
                raise ConnectionError("closed within an answer")
            out.append(line)
        return b"".join(out[1:])

    def sizes(self):
        self.command("LIST")
        return [int(line.split()[1]) for line in self.lines().splitlines()]

    def retr(self, number):
        self.command(f"RETR {number}")
        return unstuffed(self.lines())

    def quit(self):
        self.command("QUIT")
        self.file.close()
        self.sock.close()
