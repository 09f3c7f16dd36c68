"""An identity provider's token introspection endpoint (RFC 7662) over HTTPS on localhost, with a certificate of its own."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.parse

CLIENT, SECRET = "mail:server", "a secret%"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        provider = self.server.provider
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        pair = ":".join(urllib.parse.quote_plus(part) for part in (CLIENT, SECRET))
        known = self.headers["Authorization"] == "Basic " + base64.b64encode(pair.encode()).decode()
        token = urllib.parse.parse_qs(body).get("token", [""])[0]
        provider.asked.append(token)
        if provider.broken:
            code, answer = 503, {}
        elif not known:
            code, answer = 401, {"error": "invalid_client"}
        else:
            code, answer = 200, provider.tokens.get(token, {"active": False})
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Provider:
    """`tokens`: what is told of each; `asked`: those that were asked for, in order; `broken`: it only fails."""

    def __init__(self, folder):
        self.tokens, self.asked, self.broken = {}, [], False
        self.certificate, key = os.path.join(folder, "provider.pem"), os.path.join(folder, "provider.key")
        self.secret_file = os.path.join(folder, "secret")
        with open(self.secret_file, "w") as file:
            file.write(SECRET + "\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", self.certificate],
                       check=True, capture_output=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.provider = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/introspect"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
