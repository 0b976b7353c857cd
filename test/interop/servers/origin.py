"""The third kind of origin: Python's http.server. Usage: origin.py HOST PORT FOLDER VERSION (HTTP/1.0 or HTTP/1.1)."""

import hashlib
import http.server
import sys
import time

host, port, folder, version = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = version

    def __init__(self, *args):
        super().__init__(*args, directory=folder)

    def do_GET(self):
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number in range(5):
                self.wfile.write(b"data: %d %d\n\n" % (number, time.time_ns() // 1000000))
                self.wfile.flush()
                time.sleep(1)
        else:
            super().do_GET()

    def do_POST(self):
        # http.server knows no chunked requests: what has no length has no body.
        left = int(self.headers.get("Content-Length") or 0)
        digest = hashlib.sha256()
        size = 0
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
            size += len(piece)
        answer = b"%d %s" % (size, digest.hexdigest().encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    # The default of 5 is less than 64 clients arriving at once need.
    request_queue_size = 512


Server((host, port), Handler).serve_forever()
