"""Where the service listens, and the server that runs it. Its defaults expose nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from mien.app.pipeline import load_pipelines
from mien.errors import ExitCode, UsageError, quote, quote_path
from mien.liveness.mesh import open_mesh
from mien.liveness.passive import open_scorer
from mien.settings import Settings, usable_cores
from mien.vault.vault import Vault
from mien.web.app import create_app
from mien.web.auth import PageTicket, TokenStore, tokens_path
from mien.web.challenges import Challenges, LivenessModels
from mien.web.connection import (
    ACCEPTED_AT_ONCE,
    WAITING_CONNECTIONS,
    Connection,
    raise_file_limit,
)
from mien.web.dependencies import ServiceParts
from mien.web.log import log_library_warnings
from mien.web.metrics import Metrics
from mien.web.middleware import Middleware, RequestLimits
from mien.web.pool import WorkerPool
from mien.web.request_body import BodyLimits
from mien.web.tls import TlsHandshakes
from mien.web.usage import Usage, usage_path

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
ALL_ADDRESSES = ("", "0.0.0.0", "::")
SHUTDOWN_TIMEOUT_S = 8  # for the calls that run, before they are cancelled
HARD_END_S = 15.0  # after SIGTERM the process ends, whatever runs
KEEP_ALIVE_S = 15


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """host, port: port 0 takes any free one. certificate, key: PEM files for TLS, or neither.

    names: further values of the Host header, with a port where it differs, for a reverse proxy.
    insecure: listen beyond this machine without TLS.
    """

    host: str = "127.0.0.1"
    port: int = 8437
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    insecure: bool = False


def check_listen_options(options: ListenOptions, tokens: TokenStore) -> None:
    """UsageError for options that would expose the service, or that cannot be."""
    if (options.certificate is None) is not (options.key is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key")
    if not 0 <= options.port <= 65535:
        raise UsageError(f"a port is a number from 0 to 65535, not {options.port}")
    for name in options.names:
        if not re.fullmatch(r"[\w.:\[\]-]+", name):
            raise UsageError(f"--name takes HOST or HOST:PORT, not {quote(name)}")
    if _is_loopback(options.host):
        return
    host = options.host or "0.0.0.0"
    if options.certificate is None and not options.insecure:
        raise UsageError(
            f"{host} is reachable from other machines: give --tls-cert and --tls-key, or"
            " --insecure if a reverse proxy does TLS"
        )
    if not tokens.stored():
        raise UsageError(
            f"{host} is reachable from other machines, and no token exists; run:"
            " mien token create NAME"
        )
    if options.host in ALL_ADDRESSES and not options.names:
        raise UsageError(
            f"{host} means every address of this machine; give the name by which clients reach"
            " the service: --name HOST"
        )


def check_certificate(options: ListenOptions) -> None:
    """UsageError for TLS files that cannot be used, before anything listens."""
    if options.certificate is None or options.key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # a key with a passphrase fails instead of asking on the terminal
        context.load_cert_chain(options.certificate, options.key, password=lambda: "")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unusable"
        raise UsageError(
            f"cannot use the certificate {quote_path(options.certificate)} with the key"
            f" {quote_path(options.key)}: {reason}; give PEM files, the key without a passphrase"
        ) from error


def open_listening_socket(options: ListenOptions) -> socket.socket:
    """A bound and listening socket. UsageError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = None
    try:
        # asyncio sets TCP_NODELAY only where the protocol is named; without it small responses
        # take 40 ms longer
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((options.host, options.port))
        listening.listen(128)
        return listening
    except OSError as error:
        if listening is not None:
            listening.close()
        raise UsageError(
            f"cannot listen on {options.host} port {options.port}: {error.strerror or error};"
            " choose another one with --port"
        ) from error


def allowed_hosts(options: ListenOptions, port: int) -> frozenset[str]:
    """The values of the Host header that belong to this service, in lower case."""
    own = {options.host} - set(ALL_ADDRESSES)
    if _is_loopback(options.host):
        own |= {"localhost", "127.0.0.1", "::1"}
    hosts = {_host_header(name, port) for name in (*own, *options.names)}
    # a browser leaves out the default port, which a reverse proxy may listen on
    default_port = 80 if options.certificate is None else 443
    without_port = own if port == default_port else set()
    hosts |= {_host_header(name, None) for name in (*without_port, *options.names)}
    return frozenset(hosts)


def run_service(
    settings: Settings,
    vault: Vault,
    options: ListenOptions,
    *,
    on_listening: Callable[[str], None],
    with_page: bool = True,
) -> None:
    """Listen until SIGTERM or SIGINT; then finish the running calls, in `HARD_END_S` at most.

    on_listening: gets the address as soon as the service listens; with the page it ends in # and
    a ticket for one use, and is called with another one after that. with_page: without the page
    there is no ticket.
    """
    tokens = TokenStore(tokens_path(settings))
    listening, address = start_listening(options, tokens)
    # a browser never sends what follows the #
    ticket = PageTicket(tokens, lambda secret: on_listening(f"{address}#{secret}"))
    serve_on(
        listening,
        settings,
        vault,
        options,
        tokens=tokens,
        on_ready=ticket.issue if with_page else lambda: on_listening(address),
        page_ticket=ticket if with_page else None,
        with_page=with_page,
    )


def start_listening(options: ListenOptions, tokens: TokenStore) -> tuple[socket.socket, str]:
    """The listening socket and its address, after all checks. Raises UsageError."""
    check_listen_options(options, tokens)
    check_certificate(options)
    listening = open_listening_socket(options)
    return listening, _address_of(options, listening.getsockname()[1])


def serve_on(
    listening: socket.socket,
    settings: Settings,
    vault: Vault,
    options: ListenOptions,
    *,
    tokens: TokenStore,
    on_ready: Callable[[], None],
    page_ticket: PageTicket | None = None,
    with_page: bool = True,
    processes: int = 1,
) -> None:
    """Serve on a socket until SIGTERM or SIGINT. Raises ModelUnavailable.

    on_ready: called when models and vault are open. processes: how many serve on this socket; each
    of them takes its share of cores and memory, and a challenge needs one alone.
    """
    hosts = allowed_hosts(options, listening.getsockname()[1])
    parts = _parts_of(settings, vault, tokens, hosts, page_ticket, processes)
    if parts.needs_challenge:
        _open_liveness(settings)  # missing models stop the start, not the first unlock
    parts.pipeline_of(None)  # a missing model stops the start, not the first unlock
    app = create_app(parts, with_page=with_page)
    on_ready()
    # with several processes each takes one connection at a time, so that all get some
    at_once = ACCEPTED_AT_ONCE if processes == 1 else 1
    _run(_server_config(app, options, at_once), listening, on_stop=parts.pool.stop)


def _parts_of(
    settings: Settings,
    vault: Vault,
    tokens: TokenStore,
    hosts: frozenset[str],
    page_ticket: PageTicket | None,
    processes: int,
) -> ServiceParts:
    metrics, body, challenges = Metrics(), BodyLimits(), None
    body = replace(body, total_bytes=max(2 * body.max_bytes, body.total_bytes // processes))
    if processes == 1:
        challenges = Challenges(lambda: _open_liveness(settings), time.monotonic)
    return ServiceParts(
        vault=vault,
        pipeline_of=load_pipelines(replace(settings, threads=1)),
        tokens=tokens,
        pool=WorkerPool(max(1, usable_cores() // processes), on_change=metrics.set_active),
        limits=RequestLimits(hosts=hosts, body=body),
        metrics=metrics,
        usage=Usage(usage_path(settings)),
        page_ticket=page_ticket,
        challenges=challenges,
        needs_challenge=settings.liveness_service == "active",
    )


def _open_liveness(settings: Settings) -> LivenessModels:
    single = replace(settings, threads=1)
    return LivenessModels(open_mesh(single), open_scorer(single))


def _run(config: uvicorn.Config, listening: socket.socket, *, on_stop: Callable[[], None]) -> None:
    raise_file_limit()

    def stop() -> None:
        on_stop()
        _end_after(HARD_END_S)

    with log_library_warnings():
        Server(config, on_stop=stop).run(sockets=[listening])


def _address_of(options: ListenOptions, port: int) -> str:
    scheme = "http" if options.certificate is None else "https"
    host = options.names[0] if options.host in ALL_ADDRESSES else options.host
    return f"{scheme}://{_host_header(host, port)}/"


def _end_after(seconds: float) -> None:
    """End the process even if a call does not: what it changes is one transaction, or nothing."""
    timer = threading.Timer(seconds, os._exit, [ExitCode.INTERRUPTED])
    timer.daemon = True
    timer.start()


class Server(uvicorn.Server):
    """Returns after SIGTERM or SIGINT; uvicorn's own would raise the signal again at the end.

    on_stop: called when it begins to stop.
    """

    def __init__(self, config: uvicorn.Config, *, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._handshakes: list[TlsHandshakes] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.config.is_ssl:
            loop: Any = asyncio.get_running_loop()  # uvicorn has no option for this
            loop.create_server = partial(self._create_tls_server, loop.create_server)
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(WAITING_CONNECTIONS)  # asyncio accepts as many at once as may wait

    async def _create_tls_server(
        self,
        create_server: Callable[..., Awaitable[asyncio.Server]],
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        ssl: ssl.SSLContext,
        **options: Any,
    ) -> asyncio.Server:
        handshakes = TlsHandshakes(ssl, make_protocol)
        self._handshakes.append(handshakes)
        return await create_server(handshakes, **options)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        for handshakes in self._handshakes:
            handshakes.abort_all()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {one: signal.signal(one, self.handle_exit) for one in STOP_SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _server_config(app: Middleware, options: ListenOptions, at_once: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        loop="asyncio",
        backlog=at_once,
        lifespan="on",
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        proxy_headers=False,
    )


def _host_header(name: str, port: int | None) -> str:
    """A value of the Host header, in lower case. A port that is part of the name stays."""
    if name.count(":") == 1 or "]:" in name:
        return name.lower()
    bare = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return bare.lower() if port is None else f"{bare.lower()}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
