"""Named checks: each prints one line, the last line sums them up for tests/run."""
import contextlib
import os
import sys
import traceback


class Refused(AssertionError):
    """A check that did not hold; its text is what is printed."""


def want(condition, why):
    if not condition:
        raise Refused(why)


class Checks:
    def __init__(self, title):
        self.title, self.passed, self.failed = title, 0, 0
        self.only = os.environ.get("PH_CHECK", "")

    @contextlib.contextmanager
    def check(self, name):
        """The block is the check. An exception fails it and the script goes on."""
        try:
            yield
        except Refused as problem:
            self.fail(name, str(problem))
        except Exception as problem:  # noqa: BLE001 - whatever a client library throws is a failed check
            self.fail(name, f"{type(problem).__name__}: {problem}")
            if os.environ.get("PH_TRACE"):
                traceback.print_exc()
        else:
            self.passed += 1
            print(f"  ok    {self.title}: {name}", flush=True)

    def fail(self, name, why):
        self.failed += 1
        print(f"  FAIL  {self.title}: {name}: {why[:600]}", flush=True)

    def finish(self):
        print(f"checks: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
