"""Another date for one program, by Debian's libfaketime, while it runs: a day is over when a test says so. Clocks that only go forward stay as they are."""
import glob
import os
import time

DAY = 86_400


def library():
    """Where it is; None when it is not installed."""
    return next(iter(sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))), None)


class Faketime:
    """`argv` is what a program is to begin with; `go` moves its date on."""

    def __init__(self, folder):
        self.file, self.ahead = os.path.join(folder, "faketime"), 0
        self.go(0)
        self.argv = ["env", f"LD_PRELOAD={library()}", f"FAKETIME_TIMESTAMP_FILE={self.file}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                     "DONT_FAKE_MONOTONIC=1"]

    def go(self, seconds):
        """So many seconds ahead of the machine's clock."""
        self.ahead = int(seconds)
        with open(f"{self.file}.new", "w") as file:
            file.write(f"+{self.ahead}\n")
        os.replace(f"{self.file}.new", self.file)

    def now(self):
        return time.time() + self.ahead

    def go_to(self, hour):
        """To that hour, UTC, of the next day."""
        self.go((self.now() // DAY + 1) * DAY + hour * 3600 - time.time())
