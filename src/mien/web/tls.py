"""TLS handshakes of new connections, of so many at once: uvicorn counts a connection after it."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable

HANDSHAKE_TIMEOUT_S = 10.0
MAX_HANDSHAKES = 512
MAX_PER_ADDRESS = 128


class TlsHandshakes:
    """Makes the protocols of a listening socket: each does the handshake and hands over.

    make_protocol: for the connection after its handshake. Of too many that have not ended theirs
    the oldest is closed: of the same address, or of the address with the most.
    """

    def __init__(
        self, context: ssl.SSLContext, make_protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self.context, self.make_protocol = context, make_protocol
        self._running: dict[Handshake, str] = {}  # in the order in which they began

    def __call__(self) -> Handshake:
        return Handshake(self)

    def add(self, handshake: Handshake, address: str) -> None:
        """Count it, and close the one that is too many."""
        self._running[handshake] = address
        count = Counter(self._running.values())
        if count[address] <= MAX_PER_ADDRESS:
            if count.total() <= MAX_HANDSHAKES:
                return
            [(address, _)] = count.most_common(1)
        next(one for one, its in self._running.items() if its == address).abort()

    def remove(self, handshake: Handshake) -> None:
        """It has ended, in whatever way."""
        self._running.pop(handshake, None)

    def abort_all(self) -> None:
        """The service stops."""
        for one in list(self._running):
            one.abort()


class Handshake(asyncio.Protocol):
    """A connection until its handshake has ended."""

    def __init__(self, handshakes: TlsHandshakes) -> None:
        self._all = handshakes
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None  # kept, or it might be collected while it runs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.pause_reading()  # the first bytes belong to the handshake
        address = transport.get_extra_info("peername") or ("",)
        self._all.add(self, str(address[0]))
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    def abort(self) -> None:
        """Close without a word, as for a client that never speaks."""
        self._all.remove(self)
        if self._transport is not None:
            self._transport.abort()

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        early = _EarlyData()
        try:
            secure = await loop.start_tls(
                transport,
                early,
                self._all.context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            )
        except OSError:  # no TLS, a timeout, or the client has gone
            self.abort()
            return
        self._all.remove(self)
        if secure is None:  # closed meanwhile
            transport.abort()
            return
        early.hand_over(secure, self._all.make_protocol())


class _EarlyData(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and the hand-over."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._loss: tuple[Exception | None] | None = None

    def data_received(self, data: bytes) -> None:
        self._data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._loss = (exc,)

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Give the connection to the protocol, as if it had been there from the beginning."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._data:
            protocol.data_received(bytes(self._data))
        if self._loss is not None:
            protocol.connection_lost(*self._loss)
