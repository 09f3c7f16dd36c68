"""Debian's Exim, unpacked into the cache (its package would take Postfix's place) and run privately on one loopback port: takes what is for its own
domain into files, and sends the rest to one host. Never touches the system's instance."""
import glob
import os
import shutil
import subprocess

from . import paths, procs
from .servers import Server

BIN = os.path.join(paths.CACHE, "exim", "usr", "sbin", "exim4")
CONFIG = """\
exim_path = {bin}
primary_hostname = {domain}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
log_selector = +pipelining +tls_cipher +8bitmime
pid_file_path = {folder}/spool/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
deliver_drop_privilege = true
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
pipelining_connect_advertise_hosts =
acl_smtp_rcpt = accept
accept_8bitmime = true
message_size_limit = 50M

begin routers

files:
  driver = accept
  domains = {domain}
  transport = files

onward:
  driver = manualroute
  transport = onward
  route_list = * 127.0.0.1
  self = send

begin transports

files:
  driver = appendfile
  directory = {folder}/mail
  use_crlf
  maildir_format

onward:
  driver = smtp
  port = {to}
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
  hosts_try_dane =

begin retry

* * F,1h,2s
"""


class Exim(Server):
    """`to`: the port of the host that gets what is not for `domain`."""

    name = "exim"
    protocols = ("smtp",)

    def __init__(self, port, to, domain="exim.test", label="run"):
        super().__init__(label)
        self.ports, self.to, self.domain = {"smtp": port}, to, domain
        self.conf = os.path.join(self.folder, "exim.conf")

    def write_config(self):
        for name in ("spool", "log", "mail"):
            folder = os.path.join(self.folder, name)
            os.makedirs(folder, exist_ok=True)
            shutil.chown(folder, "Debian-exim")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                        f"{self.folder}/key.pem", "-out", f"{self.folder}/cert.pem"], check=True, capture_output=True)
        shutil.chown(f"{self.folder}/key.pem", "Debian-exim")
        for base in (self.folder, os.path.dirname(self.folder)):
            os.chmod(base, 0o755)
        with open(self.conf, "w") as file:
            file.write(CONFIG.format(bin=BIN, folder=self.folder, domain=self.domain, port=self.ports["smtp"], to=self.to))

    def start(self, strace=None):
        self.write_config()
        # In the foreground, with a queue run every two seconds.
        self.spawn([BIN, "-C", self.conf, "-bdf", "-q2s"], strace)
        self.wait_open()
        return self

    def mails(self):
        """What has come for its domain, without the fields that delivery puts on top of other hosts'."""
        found = sorted(glob.glob(os.path.join(self.folder, "mail", "new", "*")), key=os.path.getmtime)
        return [open(name, "rb").read() for name in found]

    def lines(self, *parts):
        """Lines of its log that hold all parts."""
        with open(os.path.join(self.folder, "log", "mainlog"), errors="replace") as file:
            return [line for line in file if all(part in line for part in parts)]

    def wait_line(self, *parts, seconds=60):
        procs.wait_until(lambda: self.lines(*parts), seconds, f"Exim's log: {' '.join(parts)}")
        return self.lines(*parts)[0]
