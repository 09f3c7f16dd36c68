"""systemd as the first process of a machine of its own: own processes, network and names, a root whose changes go to memory, a branch of the control groups.

Nothing of the real machine can be written from inside: the kernel's settings and /sys are read-only, and no unit of the real machine is known."""
import os
import subprocess
import tempfile

from . import procs

UNITS = {name: f"[Unit]\nDescription={name}\n" for name in ("sysinit.target", "basic.target", "shutdown.target", "umount.target", "final.target",
                                                            "network-online.target", "nss-lookup.target", "test.target")}
SETUP = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$BASE"
mkdir "$BASE/upper" "$BASE/work" "$BASE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/upper,workdir=$BASE/work" "$BASE/root"
cp -r "$FILES/." "$BASE/root/"
cd "$BASE/root"
cat "$FILES/passwd.more" >>etc/passwd
cat "$FILES/group.more" >>etc/group
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
mkdir dev/shm dev/pts run/old
mv units run/units
pivot_root . run/old
umount -l /run/old
exec env -i container=posthouse PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/run/none \
    /lib/systemd/systemd --system --unit=test.target --log-target=console --log-level=info --show-status=no
"""


def control_groups():
    """Where version 2 of them is mounted; None when it is not."""
    with open("/proc/mounts") as file:
        return next((line.split()[1] for line in file if line.split()[2] == "cgroup2"), None)


class Machine:
    """`files` maps paths inside to contents, `programs` paths inside to files here; `users` are made."""

    def __init__(self, folder, units, files, programs, users):
        self.folder, self.base = folder, tempfile.mkdtemp()
        self.files = os.path.join(folder, "machine")
        self.group = os.path.join(control_groups(), f"posthouse-test-{os.getpid()}")
        for path, text in (files | {f"units/{name}": text for name, text in (UNITS | units).items()}).items():
            self.put(path.lstrip("/"), text.encode())
        for path, source in programs.items():
            with open(source, "rb") as file:
                self.put(path.lstrip("/"), file.read(), 0o755)
        self.put("passwd.more", "".join(f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for user, number in users.items()).encode())
        self.put("group.more", "".join(f"{user}:x:{number}:\n" for user, number in users.items()).encode())
        self.process = self.init = None

    def put(self, path, data, mode=0o644):
        path = os.path.join(self.files, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)

    def start(self):
        os.mkdir(self.group)
        self.log = open(os.path.join(self.folder, "systemd.log"), "ab")

        def enter():
            with open(os.path.join(self.group, "cgroup.procs"), "w") as file:
                file.write(str(os.getpid()))
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup", "sh", "-c", SETUP]
        self.process = subprocess.Popen(argv, env=os.environ | {"BASE": self.base, "FILES": self.files}, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, preexec_fn=enter)

        def is_up():
            if self.process.poll() is not None:
                raise RuntimeError(open(self.log.name, errors="replace").read()[-1500:])
            children = procs.tree(self.process.pid)[1:]
            self.init = children[0] if children else None
            return self.init and self.run("systemctl", "is-active", "test.target", check=False).stdout.strip() == "active"
        procs.wait_until(is_up, 60, "systemd")

    def run(self, *argv, check=True):
        """Inside, as root."""
        argv = ["nsenter", f"--target={self.init}", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--root", "--wd=/", *argv]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv[9:])}: code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shown(self, unit, *names):
        """Properties of a unit."""
        out = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def stop(self):
        if self.process is not None:
            # The end of its first process is the end of all of it.
            self.process.kill()
            self.process.wait()
        for base, _, _ in os.walk(self.group, topdown=False):
            procs.wait_until(lambda base=base: gone(base), 20, base)
        os.rmdir(self.base)


def gone(group):
    """Takes a control group away; False while something is in it."""
    try:
        os.rmdir(group)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
