"""A small SMTP and LMTP client over a plain socket that sends exactly the bytes it is given.

The library clients repair what one sends; the checks here must not.
"""
import functools
import socket
import ssl

from . import target


class SmtpError(Exception):
    """A reply that was not the wanted one."""

    def __init__(self, code, text, after):
        super().__init__(f"{code} {text} (after {after!r})")
        self.code = code
        self.text = text


@functools.cache
def insecure_tls():
    """One for all: it holds the machine's certificates, a megabyte and more."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Smtp:
    def __init__(self, protocol, timeout=60, tls=False, source=None):
        self.lmtp = protocol == "lmtp"
        self.sock = socket.create_connection((target.HOST, target.port(protocol)), timeout, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = insecure_tls().wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        self.last = "connect"
        self.keywords = {}
        self.expect(220)

    def reply(self):
        """(code, lines) of the next reply."""
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError(f"closed after {self.last!r}; read {line!r}")
            lines.append(line[4:-2].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return int(line[:3]), lines

    def expect(self, code):
        got, lines = self.reply()
        if got != code:
            raise SmtpError(got, " / ".join(lines), self.last)
        return lines

    def send(self, raw):
        self.last = raw[:60]
        self.sock.sendall(raw)

    def command(self, text, code=250):
        self.send(text.encode("latin-1") + b"\r\n" if isinstance(text, str) else text + b"\r\n")
        return self.expect(code)

    def hello(self):
        lines = self.command("LHLO client.test" if self.lmtp else "EHLO client.test")
        self.keywords = {line.split(" ")[0].upper(): line for line in lines[1:]}
        return self

    def starttls(self):
        self.command("STARTTLS", 220)
        self.sock = insecure_tls().wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        return self.hello()

    def mail(self, raw, rcpts, sender="sender@load.test", options=""):
        """Sends one whole mail; returns the final replies as (code, text), one per recipient for LMTP."""
        if "8BITMIME" in self.keywords and not options:
            options = " BODY=8BITMIME"
        self.command(f"MAIL FROM:<{sender}>{options}")
        for rcpt in rcpts:
            self.command(f"RCPT TO:<{rcpt}>")
        self.command("DATA", 354)
        self.send(stuff(raw) + b".\r\n")
        replies = [self.reply() for _ in (rcpts if self.lmtp else (1,))]
        return [(code, " ".join(lines)) for code, lines in replies]

    def deliver(self, raw, rcpts, **rest):
        for code, text in self.mail(raw, rcpts, **rest):
            if code != 250:
                raise SmtpError(code, text, b"final dot")

    def quit(self):
        try:
            self.command("QUIT", 221)
        finally:
            self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.quit() if kind is None else self.close()


def stuff(raw):
    """Doubles leading dots (RFC 5321 section 4.5.2)."""
    raw = raw.replace(b"\r\n.", b"\r\n..")
    return b"." + raw if raw.startswith(b".") else raw


def deliver(user, mails):
    """Mails of text to one member, by LMTP."""
    with Smtp("lmtp") as client:
        client.hello()
        for mail in mails:
            client.deliver(mail.encode(), [user])
