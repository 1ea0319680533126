"""A proxy between a client and a server, for TCP connections to break in."""

import socket
import struct
import threading
import time
from contextlib import suppress

_CHUNK_BYTES = 65_536
_WAIT_SECONDS = 0.1


class Relay:
    """Listens on a port of loopback as long as it is open, and passes on to `upstream`, which may change."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.cuts = 0
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._is_open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_WAIT_SECONDS)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Break all connections, as a network does: what is under way is lost."""
        self.cuts += 1
        self._end(reset=True)

    def close_connections(self) -> None:
        """End all connections in order."""
        self._end(reset=False)

    def go_away(self, seconds: float) -> None:
        """Break all connections, and take none for a while."""
        self._away_until = time.monotonic() + seconds
        self.cut()

    def close(self) -> None:
        """End. Idempotent."""
        self._is_open = False
        self._listener.close()
        self._end(reset=True)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if time.monotonic() < self._away_until:
                _close(client, reset=True)
                continue
            try:
                host, _, port = self.upstream.rpartition(":")
                server = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                _close(client, reset=True)
                continue
            # The time to connect in is not one to be silent in. Here, while the socket is nobody else's: once it is
            # among the connections, a cut may close it before its threads have begun.
            server.settimeout(None)
            with self._lock:
                self._connections |= {client, server}
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, target), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                target.sendall(data)
        for end in (source, target):
            _close(end, reset=False)
            with self._lock:
                self._connections.discard(end)

    def _end(self, *, reset: bool) -> None:
        with self._lock:
            ended, self._connections = self._connections, set()
        for connection in ended:
            _close(connection, reset=reset)


def _close(connection: socket.socket, *, reset: bool) -> None:
    with suppress(OSError):
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_RDWR)
    # A thread may sit in recv: it is woken by the shutdown.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
