#!/usr/bin/env python3
"""What `posthouse unit` prints, started by a real systemd: it says when it is ready, serves with no rights, comes back after a kill, and stops in order.

Needs root, version 2 of the control groups and overlayfs, so tests/run has it only by its name; the machine it runs in is lib/machine.py's.
"""
import os
import re
import shutil
import subprocess
import sys

from lib import paths, procs
from lib.machine import Machine, control_groups
from lib.report import Checks, want

PROGRAM, CONFIG, DATA = "/usr/local/bin/posthouse", "/etc/posthouse.toml", "/var/lib/posthouse"
LOG, USER = "/var/log/posthouse.log", {"posthouse": 64999}
TOML = f"""
data = "{DATA}"
runtime = "uring"
[outbound]
enabled = false
[listen]
smtp = ["127.0.0.1:25"]
imap = ["127.0.0.1:143"]
"""
# All that is not the unit's own: where its log goes, since there is no journal.
MORE = f"[Service]\nStandardOutput=append:{LOG}\nStandardError=append:{LOG}\n"
ALICE, PASSWORD = "alice@acme.test", "unit-under-test-1"
MAIL = "Subject: by systemd\r\nMessage-ID: <unit@x.test>\r\n\r\nHello.\r\n"


def unit(folder):
    """As an operator gets it; the program is elsewhere while it is asked."""
    config = os.path.join(folder, "posthouse.toml")
    with open(config, "w") as file:
        file.write(TOML)
    done = subprocess.run([paths.POSTHOUSE, "unit", "--config", config], check=True, capture_output=True, text=True)
    return done.stdout.replace(paths.POSTHOUSE, PROGRAM).replace(config, CONFIG)


def status(machine, pid):
    with open(f"/proc/{machine.init}/root/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def log_of(machine):
    return re.sub(r"\x1b\[[0-9;]*m", "", machine.run("cat", LOG).stdout)


def main_pid(machine):
    return int(machine.shown("posthouse.service", "MainPID")["MainPID"])


def starts(checks, machine):
    with checks.check("systemctl start comes back when mail is served: Type=notify, io_uring within its filter of system calls, a port below 1024"):
        machine.run("systemctl", "start", "posthouse.service")
        shown = machine.shown("posthouse.service", "ActiveState", "SubState", "Type", "User", "Result", "NRestarts")
        want(shown == {"ActiveState": "active", "SubState": "running", "Type": "notify", "User": "posthouse", "Result": "success", "NRestarts": "0"}, f"{shown}")
        want("io_uring" in log_of(machine), log_of(machine)[-1500:])
    with checks.check("it has no right but that port, no new ones, a filter, and a data directory that is its user's alone"):
        facts = status(machine, main_pid(machine))
        rights = {name: int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}
        want(rights == {name: 1 << 10 for name in rights}, f"{rights}")
        want((facts["NoNewPrivs"], facts["Seccomp"], facts["Uid"].split()[0]) == ("1", "2", str(USER["posthouse"])), f"{facts}")
        want(machine.run("stat", "-c", "%U %a", DATA).stdout.split() == ["posthouse", "700"], machine.run("stat", "-c", "%U %a", DATA).stdout)


def serves(checks, machine):
    with checks.check("posthouse's commands work beside it; a mail comes in and can be read"):
        for command in ("tenant add acme", "domain add acme.test --tenant acme", f"member add {ALICE} --password-stdin"):
            machine.run("sh", "-c", f"echo {PASSWORD} | {PROGRAM} {command} --config {CONFIG}")
        machine.run("sh", "-c", f"printf '{MAIL}' >/tmp/mail")
        machine.run("curl", "-sS", "smtp://127.0.0.1:25", "--mail-from", "a@x.test", "--mail-rcpt", ALICE, "-T", "/tmp/mail")
        want("Hello." in read(machine), "the mail")


def read(machine):
    return machine.run("curl", "-sS", "--user", f"{ALICE}:{PASSWORD}", "imap://127.0.0.1:143/INBOX;MAILINDEX=1").stdout


def ends(checks, machine):
    with checks.check("after kill -9 it is started again, and the mail is there"):
        before = main_pid(machine)
        machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "posthouse.service")

        def again():
            shown = machine.shown("posthouse.service", "ActiveState", "MainPID", "NRestarts")
            return shown["ActiveState"] == "active" and shown["NRestarts"] == "1" and int(shown["MainPID"]) not in (0, before)
        procs.wait_until(again, 60, "another process")
        want("Hello." in read(machine), "the mail")
    with checks.check("systemctl stop ends it in order"):
        machine.run("systemctl", "stop", "posthouse.service")
        shown = machine.shown("posthouse.service", "ActiveState", "Result", "ExecMainStatus")
        want(shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, f"{shown}")
        want("stopped" in log_of(machine), log_of(machine)[-800:])


def main():
    checks = Checks("unit")
    if os.geteuid() != 0 or control_groups() is None or not os.path.exists("/lib/systemd/systemd"):
        checks.fail("start", "needs root, systemd, and version 2 of the control groups")
        checks.finish()
    folder = os.path.join(paths.RUNS, "unit")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    units = {"posthouse.service": unit(folder), "posthouse.service.d/log.conf": MORE}
    machine = Machine(folder, units, {CONFIG: TOML}, {PROGRAM: paths.POSTHOUSE}, USER)
    try:
        machine.start()
        starts(checks, machine)
        serves(checks, machine)
        ends(checks, machine)
    finally:
        machine.stop()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
