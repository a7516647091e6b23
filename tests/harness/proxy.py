# SPDX-License-Identifier: Apache-2.0
"""A small CONNECT proxy: it leads every host name to one port of this machine, so that names as the services have them
can be used, and keeps what it was told."""
import select
import socket
import socketserver
import threading

HEAD_MAX = 65536


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_MAX:
            data = self.request.recv(4096)
            if not data:
                return
            head += data
        proxy = self.server.proxy
        with proxy.lock:
            proxy.heads.append(head.decode("latin-1"))
        if proxy.refusal is not None:
            self.request.sendall(f"HTTP/1.1 {proxy.refusal} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", proxy.target), timeout=20) as onward:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.relay(onward)

    def relay(self, onward):
        ends = {self.request: onward, onward: self.request}
        while True:
            for end in select.select(list(ends), [], [], 30)[0]:
                try:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)
                except OSError:
                    return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Proxy:
    """Listens from its making until close(). `refusal`: a status instead of a tunnel."""

    def __init__(self, target):
        self.target, self.refusal = target, None
        self.heads, self.lock = [], threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hosts(self):
        """The hosts that were asked for."""
        with self.lock:
            return {head.split()[1] for head in self.heads}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
