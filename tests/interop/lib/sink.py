"""A mail host for the other side of a delivery: keeps what it takes, and misbehaves by the name before the @ of a recipient.

`greylist` is put off until it has been tried twice, `later` is always put off, `never` is refused, `full` is refused after the data.
With `broken_tls` STARTTLS is offered and then answered with rubbish; with `tls`, an `ssl.SSLContext`, it works. `offers` are more keywords of EHLO.
A `tarpit` takes connections and says nothing; with `delay` the last reply comes that many seconds after the message was taken.
"""
import socketserver
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    timeout = 60
    is_tls = False

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        try:
            self.converse()
        except OSError:
            pass

    def converse(self):
        sink = self.server.sink
        with sink.lock:
            sink.connections += 1
        if sink.tarpit:
            self.rfile.read(1)
            return
        self.say("220 sink.test ESMTP")
        sender, rcpts, name = None, [], ""
        while line := self.rfile.readline(4096):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            verb = text.split(" ")[0].split(":")[0].upper()
            if verb == "EHLO":
                name = text.partition(" ")[2]
                offers = ["sink.test", "PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 50000000", "DSN" if sink.dsn else "HELP"]
                offers += ["STARTTLS"] if sink.broken_tls or (sink.tls and not self.is_tls) else []
                offers += sink.offers
                for offer in offers[:-1]:
                    self.say(f"250-{offer}")
                self.say(f"250 {offers[-1]}")
            elif verb == "STARTTLS" and sink.tls:
                self.say("220 go")
                self.connection = sink.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                self.is_tls = True
            elif verb == "STARTTLS":
                self.say("220 go")
                self.wfile.write(b"this is no TLS at all\r\n" * 4)
                return
            elif verb == "MAIL":
                sender, rcpts = text, []
                self.say("250 2.1.0 ok")
            elif verb == "RCPT":
                reply = sink.rcpt(text)
                if reply.startswith("250"):
                    rcpts.append(text)
                self.say(reply)
            elif verb == "DATA":
                if not rcpts:
                    self.say("503 5.5.1 no recipient")
                    continue
                self.say("354 go")
                body = self.data()
                if body is None:
                    return
                if any("<full@" in rcpt for rcpt in rcpts):
                    self.say("552 5.2.2 full")
                else:
                    with sink.lock:
                        sink.mails.append((sender, tuple(rcpts), body))
                        sink.names.append(name)
                    time.sleep(sink.delay)
                    self.say("250 2.0.0 taken")
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 ok" if verb in ("RSET", "NOOP", "HELO") else "502 5.5.1 what?")

    def data(self):
        lines = []
        while line := self.rfile.readline(1 << 20):
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)
        return None


class Sink:
    def __init__(self, address, port, dsn=False, broken_tls=False, tls=None, offers=(), tarpit=False, delay=0):
        self.dsn, self.broken_tls, self.tls, self.offers = dsn, broken_tls, tls, list(offers)
        self.tarpit, self.delay = tarpit, delay
        self.lock = threading.Lock()
        # `names` says by which name at EHLO each of `mails` came.
        self.mails, self.names, self.tried, self.connections = [], [], {}, 0
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer((address, port), Handler)
        self.server.sink = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rcpt(self, text):
        address = text.split("<")[1].split(">")[0]
        with self.lock:
            self.tried[address] = count = self.tried.get(address, 0) + 1
        name = address.split("@")[0]
        if name == "never":
            return "550 5.1.1 nobody of that name"
        if name == "later" or (name.startswith("greylist") and count < 2):
            return "450 4.2.0 greylisted, come again"
        return "250 2.1.5 ok"

    def of(self, text):
        """The mails whose bytes contain `text`."""
        with self.lock:
            return [mail for mail in self.mails if text.encode() in mail[2]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
