"""mbsync (isync) with one account on this server and a Maildir beside it."""
import os
import subprocess

from . import target
from .report import want

CONFIG = """\
FSync no

IMAPAccount a
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs {mechanism}

IMAPStore far
Account a
{far}

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel both
Far :far:
Near :near:
Patterns {patterns}
SyncState {folder}/state-
{channel}
"""


class Mbsync:
    """What it is told to do in `channel` (lines of its configuration), each time it runs; its Maildir is FOLDER/mail."""

    def __init__(self, folder, user, channel, patterns="*", far="", mechanism="LOGIN"):
        self.folder = folder
        os.makedirs(os.path.join(folder, "mail"))
        with open(os.path.join(folder, "rc"), "w") as file:
            file.write(CONFIG.format(host=target.HOST, port=target.port("imap"), user=user, password=target.PASSWORD, folder=folder,
                                     mechanism=mechanism, patterns=patterns, far=far, channel=channel))

    def __call__(self):
        done = subprocess.run(["mbsync", "-c", os.path.join(self.folder, "rc"), "-q", "-a"], capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)
        want(done.returncode == 0, f"mbsync code {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
