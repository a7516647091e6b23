# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between a node and the key manager, which can be cut: so that one node alone does not reach it."""
import socket
import threading


class Relay:
    def __init__(self, target):
        self.target, self.open, self.sockets = target, True, set()
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            self._join(near)

    def _join(self, near):
        try:
            far = socket.create_connection(self.target) if self.open else None
        except OSError:
            far = None
        with self.lock:
            if far is None or not self.open:
                near.close()
                if far is not None:
                    far.close()
                return
            self.sockets |= {near, far}
        for source, to in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, to), daemon=True).start()

    def _pump(self, source, to):
        try:
            while piece := source.recv(65536):
                to.sendall(piece)
        except OSError:
            pass
        self._end(source, to)

    def _end(self, *pair):
        for one in pair:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            with self.lock:
                self.sockets.discard(one)
            one.close()

    def cut(self):
        """Every connection ends, and new ones end at once."""
        self.open = False
        with self.lock:
            sockets = list(self.sockets)
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def heal(self):
        self.open = True

    def close(self):
        self.server.close()
        self.cut()
