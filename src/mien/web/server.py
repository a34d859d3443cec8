"""From settings to a listening service, closed by default."""

from __future__ import annotations

import ipaddress
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mien.app.pipeline import Pipeline, open_pipeline
from mien.errors import UsageError, quote_path
from mien.results import ModelId
from mien.settings import Settings, usable_cores
from mien.vault.vault import Vault
from mien.web.app import Parts, make_app
from mien.web.log import libraries_told
from mien.web.middleware import Limits
from mien.web.pool import Gate
from mien.web.tokens import Tokens

STOPS = (signal.SIGTERM, signal.SIGINT)
EVERYWHERE = ("", "0.0.0.0", "::")
GRACE_S = 30  # for what was accepted, before the process ends


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """host, port: to listen on; port 0 takes any. cert, key: PEM files for TLS, or neither.

    names: further names by which the service is reached, with a port where that is another
    one, as behind something that does TLS. open_anyway: beyond this machine without TLS.
    """

    host: str = "127.0.0.1"
    port: int = 8437
    cert: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    open_anyway: bool = False


def tokens_path(settings: Settings) -> Path:
    """ListenOptions the tokens of this user's service are kept."""
    return settings.data_dir / "tokens.json"


def check_where(where: ListenOptions, tokens: Tokens) -> None:
    """UsageError for a place where the service would stand open."""
    if (where.cert is None) is not (where.key is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key")
    if not 0 <= where.port <= 65535:
        raise UsageError(f"a port is 0 to 65535, not {where.port}")
    for name in where.names:
        if not re.fullmatch(r"[\w.:\[\]-]+", name):
            raise UsageError(f"a name is HOST or HOST:PORT, not {name!r}")
    if _is_loopback(where.host):
        return
    if where.cert is None and not where.open_anyway:
        raise UsageError(
            f"{where.host} is beyond this machine: give --tls-cert and --tls-key, or --insecure if"
            " something in front of mien does TLS"
        )
    if not tokens.all():
        raise UsageError(
            f"{where.host} is beyond this machine and nobody has a token; run: mien token create"
            " NAME"
        )
    if where.host in EVERYWHERE and not where.names:
        raise UsageError(
            f"{where.host or '0.0.0.0'} is every address of this machine: say with --name HOST how"
            " the service is reached"
        )


def check_certificate(where: ListenOptions) -> None:
    """UsageError for TLS files that cannot be used, before anything listens."""
    if where.cert is None or where.key is None:
        return
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(where.cert, where.key, password=lambda: "")  # never a prompt
    except (OSError, ValueError) as error:  # ssl's own is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unusable"
        raise UsageError(
            f"cannot use the certificate {quote_path(where.cert)} with the key"
            f" {quote_path(where.key)}: {why}; give PEM files, the key without a passphrase"
        ) from error


def listening_socket(where: ListenOptions) -> socket.socket:
    """Bound and listening. UsageError where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    made = None
    try:
        # with the protocol named, asyncio sends small answers at once: 40 ms of each
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((where.host, where.port))
        made.listen(128)
        return made
    except OSError as error:
        if made is not None:
            made.close()
        raise UsageError(
            f"cannot listen on {where.host} port {where.port}: {error.strerror or error};"
            " choose another with --port"
        ) from error


def run_service(
    settings: Settings,
    vault: Vault,
    where: ListenOptions,
    *,
    ready: Callable[[str], None],
    page: bool = True,
) -> None:
    """Listen until SIGTERM or SIGINT; then finish what was accepted.

    ready: gets the address once the service listens; that of the page has a token of this
    run behind the #, which a browser never sends. page: without it there is no such token.
    """
    import uvicorn

    from mien.web.connection import Connection

    class Server(uvicorn.Server):
        """Stops at the first SIGTERM or SIGINT and then returns, where uvicorn would die of it."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {one: signal.signal(one, self.handle_exit) for one in STOPS}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

    tokens = Tokens(tokens_path(settings))
    check_where(where, tokens)
    check_certificate(where)
    listening = listening_socket(where)
    port = listening.getsockname()[1]
    cores = usable_cores()
    parts = Parts(
        vault=vault,
        pipeline_of=pipelines(replace(settings, threads=1)),
        tokens=tokens,
        gate=Gate(cores),
        limits=Limits(hosts=hosts_of(where, port)),
    )
    parts.pipeline_of(None)  # a model that is missing is said now, and not at the door
    app = make_app(parts, page=page)
    config = uvicorn.Config(
        app,
        http=Connection,
        lifespan="on",
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=15,
        ssl_certfile=where.cert,
        ssl_keyfile=where.key,
        proxy_headers=False,
    )
    secret = "#" + tokens.create_passing("page", "admin") if page else ""
    scheme = "http" if where.cert is None else "https"
    host = where.names[0] if where.host in EVERYWHERE else where.host
    ready(f"{scheme}://{_with_port(host, port)}/{secret}")
    with libraries_told():
        Server(config).run(sockets=[listening])


def hosts_of(where: ListenOptions, port: int) -> frozenset[str]:
    """What the Host header may be, in lower case: other names are of somebody else."""
    own = {where.host} - set(EVERYWHERE)
    if _is_loopback(where.host):
        own |= {"localhost", "127.0.0.1", "::1"}
    found = {_with_port(name, port) for name in (*own, *where.names)}
    # a browser leaves out the usual port, which something in front of mien may listen on
    usual = own if port == (80 if where.cert is None else 443) else set()
    found |= {_with_port(name, None) for name in (*usual, *where.names)}
    return frozenset(found)


def _with_port(name: str, port: int | None) -> str:
    """As a Host header has it, in lower case; a port that the name brings stays."""
    if name.count(":") == 1 or "]:" in name:
        return name.lower()
    bare = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return bare.lower() if port is None else f"{bare.lower()}:{port}"


def pipelines(settings: Settings) -> Callable[[ModelId | None], Pipeline]:
    """The usual pipeline, loaded once; and, when somebody was enrolled with it, another model's."""
    from threading import Lock

    loaded: dict[str, Pipeline] = {}
    lock = Lock()

    def pipeline_of(model: ModelId | None) -> Pipeline:
        from mien.models import EMBEDDERS

        name = model.name if model is not None and model.name in EMBEDDERS else "sface"
        with lock:
            if name not in loaded:
                loaded[name] = open_pipeline(settings, name)
            return loaded[name]

    return pipeline_of


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
