"""A client that says any bytes to any port and bounds its own patience: for what no client library would do."""
import socket
import ssl
import time

from . import target
from .smtp import insecure_tls


class Talk:
    def __init__(self, protocol, tls=False, seconds=20, source=None, greeted=True):
        self.seconds, self.buffer = seconds, b""
        where = (source, 0) if source else None
        self.sock = socket.create_connection((target.HOST, target.port(protocol)), seconds, where)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = insecure_tls().wrap_socket(self.sock)
        if greeted:
            self.greeting = self.line()

    def send(self, raw):
        """Sends; False when the server has closed."""
        try:
            self.sock.sendall(raw)
            return True
        except (OSError, ssl.SSLError):
            return False

    def more(self, until):
        """Reads a piece; False at the end. TimeoutError when nothing comes in time."""
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing came for {self.seconds} s after {self.buffer[-100:]!r}")
        self.sock.settimeout(left)
        try:
            piece = self.sock.recv(1 << 16)
        except TimeoutError:
            raise TimeoutError(f"nothing came for {self.seconds} s after {self.buffer[-100:]!r}") from None
        except (ConnectionError, ssl.SSLError):
            piece = b""
        self.buffer += piece
        return bool(piece)

    def line(self):
        """The next line without its CRLF; empty at the end."""
        until = time.monotonic() + self.seconds
        while b"\r\n" not in self.buffer:
            if not self.more(until):
                out, self.buffer = self.buffer, b""
                return out
        out, _, self.buffer = self.buffer.partition(b"\r\n")
        return out

    def ask(self, raw):
        """Sends a line and gives the next one."""
        self.send(raw + b"\r\n")
        return self.line()

    def rest(self):
        """Everything up to the server's close."""
        until = time.monotonic() + self.seconds
        while self.more(until):
            pass
        out, self.buffer = self.buffer, b""
        return out

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
