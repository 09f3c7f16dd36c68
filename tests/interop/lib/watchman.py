"""An honest client beside the hostile ones: it delivers and reads all the time, and says how long it had to wait at worst."""
import threading
import time

from . import imap, smtp, target


class Watchman:
    """Runs while it is open; `worst` is the longest answer in seconds, `rounds` how many there were, `problem` what went wrong."""

    def __init__(self, user):
        self.user, self.worst, self.rounds, self.problem = user, 0.0, 0, None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        try:
            conn = imap.login(self.user, mailbox="INBOX")
            while not self.done.is_set():
                start = time.monotonic()
                with smtp.Smtp("lmtp") as client:
                    client.hello()
                    client.deliver(target.marked(f"watch-{self.rounds}", b"Subject: watch\r\n\r\nhello\r\n"), [self.user])
                exists = int(imap.ok(conn.select("INBOX"))[0])
                list(imap.bodies(conn, str(exists)))
                self.worst = max(self.worst, time.monotonic() - start)
                self.rounds += 1
                self.done.wait(0.05)
            conn.logout()
        except Exception as problem:  # noqa: BLE001 - whatever an honest client stumbles over is the finding
            self.problem = problem

    def next_round(self):
        """Waits until a round has begun and ended; what goes wrong is kept for `problem`."""
        enough = self.rounds + 2
        while self.rounds < enough and self.thread.is_alive():
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(30)
