"""A small file system of its own for one script: an ext4 image on a loop device, or a tmpfs where that cannot be mounted."""
import os
import shutil
import subprocess


class Unmountable(Exception):
    """No kind of small file system can be mounted here."""


class SmallFs:
    """Mounted while it is open. `fill` leaves so many bytes free, `free` gives the room back."""

    def __init__(self, folder, megabytes):
        self.folder, self.megabytes, self.kind = folder, megabytes, None
        self.path = os.path.join(folder, "small")
        self.image = os.path.join(folder, "small.img")

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.path)
        problems = []
        for kind, commands in (
            ("ext4", [["mkfs.ext4", "-q", "-m", "0", self.image, f"{self.megabytes}M"], ["mount", "-o", "loop", self.image, self.path]]),
            ("tmpfs", [["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m", "posthouse-test", self.path]]),
        ):
            failed = next((problem for problem in map(as_root, commands) if problem), None)
            if failed is None:
                self.kind = kind
                as_root(["chmod", "777", self.path])
                return self
            problems.append(f"{kind}: {failed}")
        raise Unmountable("; ".join(problems))

    def __exit__(self, *_):
        if self.kind:
            problem = as_root(["umount", self.path])
            if problem:
                raise RuntimeError(f"umount {self.path}: {problem}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def room(self):
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def fill(self, leave):
        """Takes room until only about `leave` bytes are left."""
        with open(os.path.join(self.path, "filler"), "ab") as file:
            while self.room() > leave:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), min(self.room() - leave, 8 << 20))
                except OSError:
                    break
                file.seek(0, os.SEEK_END)

    def free(self):
        os.remove(os.path.join(self.path, "filler"))


def as_root(command):
    """Runs it; None when it went well, else what it said."""
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as problem:
        return str(problem)
    return None if done.returncode == 0 else (done.stderr.strip() or f"code {done.returncode}")
