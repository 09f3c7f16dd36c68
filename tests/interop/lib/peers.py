"""Debian's Dovecot with mdbox, and Postfix in front of it for SMTP and submission, run privately:
own configuration, own folders, loopback ports. Never touches the system's instances."""
import os
import pwd
import shutil
import subprocess

from . import paths, procs
from .servers import DOMAIN, PASSWORD, Server

DOVECOT = """\
base_dir = {run}
state_dir = {folder}/state
log_path = {log}
instance_name = posthouse-peer-{label}
default_login_user = dovenull
default_internal_user = dovecot
protocols = imap pop3 lmtp
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = mdbox:{data}/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
default_process_limit = {processes}
default_client_limit = {clients}
auth_cache_size = 10M
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwd
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={data}/%n
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  client_limit = {anvil}
}}
service auth {{
  client_limit = {anvil}
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
  {login}
}}
service imap {{
  process_limit = {processes}
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
{extra}
"""

# What every private Postfix has, whatever it does with its mail.
POSTFIX_COMMON = """\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {state}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = peer.{domain}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
maillog_file = {queue}/postfix.log
maillog_file_prefixes = {queue}
"""

POSTFIX_MAIN = """\
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_tls_security_level = may
local_header_rewrite_clients =
message_drop_headers =
disable_mime_input_processing = yes
disable_mime_output_conversion = yes
line_length_limit = 1000000
lmtp_line_length_limit = 0
message_size_limit = 50000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
default_destination_concurrency_limit = 50
default_transport = retry:no route from here
{main}
"""

POSTFIX_LISTENERS = """\
{smtp} inet n - n - - smtpd
{submission} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
"""

POSTFIX_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
retry unix - - n - - error
error unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""


def write_postfix(base, values, main, listeners):
    """A configuration in the folder `base`; `main` and `listeners` are the part of main.cf and master.cf that differs."""
    values = values | {"queue": f"{base}/queue", "state": f"{base}/state"}
    for name in ("queue", "state"):
        os.makedirs(values[name], exist_ok=True)
    shutil.chown(values["state"], "postfix", "postfix")
    for name, text in (("main.cf", POSTFIX_COMMON + main), ("master.cf", listeners + POSTFIX_SERVICES)):
        with open(os.path.join(base, name), "w") as file:
            file.write(text.format(**values))
    shutil.copy("/etc/postfix/dynamicmaps.cf", base)


class Peers(Server):
    """Dovecot alone (`postfix=False`, for benches) or with Postfix (for interop)."""

    name = "dovecot"

    def __init__(self, label="run", postfix=False, clients=4000, extra="", login="", main="", **rest):
        self.label, self.postfix, self.clients, self.extra, self.login, self.main = label, postfix, clients, extra, login, main
        self.protocols = tuple(p for p in Server.protocols if postfix or p in ("lmtp", "imap", "imaps", "pop3", "pop3s")) + ("auth",)
        super().__init__(label, **rest)
        self.pid_file = os.path.join(self.folder, "postfix", "queue", "pid", "master.pid")

    def write_config(self):
        folder, mail = self.folder, pwd.getpwnam("mail")
        for name in ("state",):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        # Socket paths must stay under 108 bytes, so the run folder lies in /run.
        self.run = f"/run/posthouse-peer-{os.getpid()}-{self.label}"
        os.makedirs(self.run, exist_ok=True)
        if not os.path.isdir(self.data):
            os.makedirs(self.data)
            os.chown(self.data, mail.pw_uid, mail.pw_gid)
        for base in (folder, os.path.dirname(folder), self.data):
            os.chmod(base, 0o755)
        with open(os.path.join(folder, "passwd"), "w") as file:
            file.writelines(f"{user}:{PASSWORD}::::::\n" for user in self.users())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                        f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)
        values = dict(self.ports, folder=folder, data=self.data, run=self.run, log=self.log, label=self.label, domain=DOMAIN, extra=self.extra, main=self.main,
                      login=self.login, clients=self.clients, processes=self.clients, anvil=self.clients * 8 + 1000)
        with open(os.path.join(folder, "dovecot.conf"), "w") as file:
            file.write(DOVECOT.format(**values))
        if self.postfix:
            self.postfix_base = os.path.join(self.folder, "postfix")
            write_postfix(self.postfix_base, values, POSTFIX_MAIN, POSTFIX_LISTENERS)

    def start(self, strace=None):
        self.write_config()
        self.spawn(["/usr/sbin/dovecot", "-F", "-c", os.path.join(self.folder, "dovecot.conf")], strace)
        if self.postfix:
            done = subprocess.run(["postfix", "-c", self.postfix_base, "start"], capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"postfix start: {done.stdout}{done.stderr}")
        self.wait_open()
        return self

    def roots(self):
        out = [self.process.pid]
        if self.postfix and os.path.exists(self.pid_file):
            out.append(int(open(self.pid_file).read()))
        return out

    def stop(self, seconds=180):
        if self.postfix:
            subprocess.run(["postfix", "-c", self.postfix_base, "stop"], capture_output=True)
        code = super().stop(seconds)
        shutil.rmtree(self.run, ignore_errors=True)
        return code
