"""Mozilla's Marionette, by which Thunderbird is driven: messages of a length, a colon and JSON over TCP."""
import json
import socket
import time


class Marionette:
    def __init__(self, port, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), 30)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.file, self.number = self.sock.makefile("rb"), 0
        self.read()
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def read(self):
        digits = b""
        while (byte := self.file.read(1)) != b":":
            if not byte:
                raise ConnectionError("marionette has gone")
            digits += byte
        return json.loads(self.file.read(int(digits)))

    def ask(self, command, params=None):
        self.number += 1
        text = json.dumps([0, self.number, command, params or {}]).encode()
        self.sock.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, result = self.read()
        if error:
            raise RuntimeError(f"{command}: {error.get('error')}: {error.get('message')}")
        return result

    def run(self, script, *args, seconds=60):
        """The value of a promise: the body of an async function with `args`, in the program's own rights."""
        wrapped = f"""
const done = arguments[arguments.length - 1];
(async (args) => {{ {script} }})(arguments[0]).then(value => done({{ value }}), error => done({{ error: String(error) + "\\n" + (error?.stack ?? "") }}));
"""
        self.sock.settimeout(seconds + 10)
        self.ask("WebDriver:SetTimeouts", {"script": seconds * 1000})
        got = self.ask("WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": [list(args)], "sandbox": "system", "newSandbox": False})["value"]
        if "error" in got:
            raise RuntimeError(got["error"])
        return got.get("value")
