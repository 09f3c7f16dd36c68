"""Programs beside the server under test: started, waited for until they listen, ended."""
import os
import socket
import subprocess

from . import procs


class Daemons:
    """Logs of theirs are in `folder`."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}

    def spawn(self, argv, at, name, seconds=30):
        """`at` is a port of 127.0.0.1 or the path of a Unix socket."""
        log = open(os.path.join(self.folder, f"{name}.log"), "ab")
        self.running[name] = process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def opened():
            if process.poll() is not None:
                raise RuntimeError(f"{name}: {open(log.name, errors='replace').read()[-800:]}")
            by_path = isinstance(at, str)
            with socket.socket(socket.AF_UNIX if by_path else socket.AF_INET) as probe:
                return probe.connect_ex(at if by_path else ("127.0.0.1", at)) == 0
        procs.wait_until(opened, seconds, name)
        return process

    def end(self, name, at_once=False):
        """With SIGTERM, or with SIGKILL at once."""
        process = self.running.pop(name)
        process.kill() if at_once else process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop(self):
        for name in list(self.running):
            self.end(name)
