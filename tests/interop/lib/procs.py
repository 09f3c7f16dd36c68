"""Reads what a process tree uses from /proc: CPU time, memory, disk. Never signals a process."""
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        text = file.read()
    # The command name may hold spaces and brackets; fields count from the last bracket.
    return text[text.rindex(")") + 2:].split()


def tree(root):
    """The pid and all its living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(stat_fields(name)[1]), []).append(int(name))
            except (OSError, ValueError):
                continue
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        out.append(pid)
        todo += children.get(pid, [])
    return out


def cpu_seconds(roots):
    """User + system seconds of the trees: to the nanosecond for what lives, threads that have ended included, and in ticks for reaped children."""
    seconds = 0.0
    for root in roots:
        for pid in tree(root):
            try:
                # The kernel's clock of a process's CPU time (clock_getcpuclockid(3)).
                seconds += time.clock_gettime((~pid << 3) | 2) + sum(int(f) for f in stat_fields(pid)[13:15]) / TICK
            except OSError:
                continue
    return seconds


def pss_kib(roots):
    """Proportional set size of the trees in KiB."""
    total = 0
    for root in roots:
        for pid in tree(root):
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
            except OSError:
                continue
    return total


class PssPeak:
    """Samples the trees' PSS while it is open; `kib` is the highest sample."""

    def __init__(self, roots, every=0.5):
        self.roots, self.every, self.kib = roots, every, 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self):
        while True:
            self.kib = max(self.kib, pss_kib(self.roots))
            if self.done.wait(self.every):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def disk_bytes(folder):
    """Bytes that the files of a folder take on the disk, each inode once."""
    seen, total = set(), 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                st = os.lstat(os.path.join(base, name))
            except OSError:
                continue
            if st.st_ino not in seen:
                seen.add(st.st_ino)
                total += st.st_blocks * 512
    return total


def device_flushes():
    """Flush requests that all block devices have completed since boot."""
    with open("/proc/diskstats") as file:
        return sum(int(line.split()[18]) for line in file if len(line.split()) > 18 and not line.split()[2].startswith("loop"))


def wait_until(check, seconds, what):
    """Polls `check` until it is true; raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
