"""Where the service listens, its tokens and its TLS."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import HANG_TIMEOUT_S, start_service

from mien.cli.main import main
from mien.errors import UsageError
from mien.web.auth import TokenStore, allows
from mien.web.server import (
    ListenOptions,
    allowed_hosts,
    check_certificate,
    check_listen_options,
    open_listening_socket,
)
from mien.web.tls import MAX_PER_ADDRESS

DAY = "2026-01-31T12:00:00+00:00"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_a_loopback_address_needs_neither_tls_nor_a_token(tokens: TokenStore, host: str) -> None:
    check_listen_options(ListenOptions(host=host), tokens)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "door.example", ""])
def test_any_other_address_needs_tls_or_insecure_and_a_token(tokens: TokenStore, host: str) -> None:
    pem = Path("cert.pem")
    with pytest.raises(UsageError, match="--tls-cert and --tls-key, or --insecure"):
        check_listen_options(ListenOptions(host=host), tokens)
    for where in (
        ListenOptions(host=host, insecure=True),
        ListenOptions(host=host, certificate=pem, key=pem),
    ):
        with pytest.raises(UsageError, match="no token exists; run: mien token create"):
            check_listen_options(where, tokens)
    tokens.create("door", "unlock", created_at=DAY)
    named = ("door.example",)
    check_listen_options(ListenOptions(host=host, insecure=True, names=named), tokens)
    check_listen_options(ListenOptions(host=host, certificate=pem, key=pem, names=named), tokens)
    with pytest.raises(UsageError, match="needs both"):
        check_listen_options(ListenOptions(certificate=pem), tokens)


def test_a_port_in_use_and_an_invalid_port_are_usage_errors(tokens: TokenStore) -> None:
    with open_listening_socket(ListenOptions(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1 port {port}"):
            open_listening_socket(ListenOptions(port=port))
    with pytest.raises(UsageError, match="a port is a number"):
        check_listen_options(ListenOptions(port=70_000), tokens)


def test_allowed_hosts_are_the_own_address_and_the_given_names() -> None:
    assert allowed_hosts(ListenOptions(), 8437) == {
        "127.0.0.1:8437",
        "localhost:8437",
        "[::1]:8437",
    }
    named = allowed_hosts(ListenOptions(host="192.168.1.5", names=("Door.example",)), 80)
    assert named == {"192.168.1.5:80", "192.168.1.5", "door.example:80", "door.example"}
    assert allowed_hosts(ListenOptions(host="fe80::1"), 8437) == {"[fe80::1]:8437"}


def test_a_name_for_a_reverse_proxy_may_have_another_port() -> None:
    behind = allowed_hosts(
        ListenOptions(names=("door.example", "gate.example:8443", "[fe80::1]:444")), 8437
    )
    assert behind - allowed_hosts(ListenOptions(), 8437) == {
        "door.example", "door.example:8437", "gate.example:8443", "[fe80::1]:444",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", "https://door.example", "door.example/x", "two names"])
def test_a_name_must_be_host_or_host_and_port(tokens: TokenStore, name: str) -> None:
    with pytest.raises(UsageError, match="--name takes HOST or HOST:PORT"):
        check_listen_options(ListenOptions(names=(name,)), tokens)


@pytest.mark.parametrize("name", ["absent.pem", "a" * 300, "junk.pem"])
def test_an_unusable_certificate_is_a_usage_error_on_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "junk.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="cannot use the certificate") as refused:
        check_certificate(ListenOptions(certificate=tmp_path / name, key=tmp_path / name))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_listening_on_every_address_requires_a_name(tokens: TokenStore, host: str) -> None:
    tokens.create("door", "unlock", created_at=DAY)
    with pytest.raises(UsageError, match=r"every address of this machine; .*: --name HOST"):
        check_listen_options(ListenOptions(host=host, insecure=True), tokens)
    named = ListenOptions(host=host, insecure=True, names=("door.example",))
    assert allowed_hosts(named, 8437) == {"door.example", "door.example:8437"}


# tokens --------------------------------------------------------------------------------------


def test_a_token_is_found_by_its_secret_and_only_its_hash_is_stored(
    tokens: TokenStore, tmp_path: Path
) -> None:
    secret = tokens.create("door", "unlock", created_at=DAY)
    assert tokens.scope_of(secret) == "unlock"
    assert tokens.scope_of(secret + "x") is None
    assert tokens.scope_of("") is None
    path = tmp_path / "tokens.json"
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TokenStore(path).scope_of(secret) == "unlock"


def test_a_token_without_limits_is_stored_as_before_there_were_limits(
    tokens: TokenStore, tmp_path: Path
) -> None:
    tokens.create("door", "unlock", created_at=DAY)
    tokens.create("gate", "unlock", created_at=DAY, per_day=5)
    door, gate = json.loads((tmp_path / "tokens.json").read_text())
    assert list(door) == ["name", "scope", "sha256", "created_at"]
    assert gate["per_day"] == 5
    with pytest.raises(UsageError, match="1 or more"):
        tokens.create("wall", "unlock", created_at=DAY, per_minute=-1)
    (tmp_path / "tokens.json").write_text(json.dumps([{**door, "per_day": "5"}]))
    with pytest.raises(UsageError, match="did not write"):
        tokens.stored()


def test_a_revoked_token_is_unknown_at_once(tokens: TokenStore, tmp_path: Path) -> None:
    secret = tokens.create("door", "unlock", created_at=DAY)
    TokenStore(tmp_path / "tokens.json").revoke("door")
    assert tokens.scope_of(secret) is None
    with pytest.raises(UsageError, match="there is no token 'door'"):
        tokens.revoke("door")


def test_a_temporary_token_is_not_stored(tokens: TokenStore, tmp_path: Path) -> None:
    secret = tokens.create_temporary("page", "admin")
    assert tokens.scope_of(secret) == "admin"
    assert not (tmp_path / "tokens.json").exists()
    assert TokenStore(tmp_path / "tokens.json").scope_of(secret) is None


def test_each_scope_allows_what_the_one_before_allows() -> None:
    order = ("camera", "unlock", "enroll", "admin")
    allowed = [[allows(scope, wanted) for wanted in order] for scope in order]
    assert [sum(row) for row in allowed] == [1, 2, 3, 4]
    assert all(row == sorted(row, reverse=True) for row in allowed)


def test_the_scope_metrics_reads_the_metrics_alone_and_only_admin_does_too() -> None:
    scopes = ("camera", "unlock", "enroll", "admin", "metrics")
    assert [scope for scope in scopes if allows("metrics", scope)] == ["metrics"]
    assert [scope for scope in scopes if allows(scope, "metrics")] == ["admin", "metrics"]


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 65, "a\n"])
def test_an_invalid_token_name_is_refused(tokens: TokenStore, name: str) -> None:
    with pytest.raises(UsageError):
        tokens.create(name, "unlock", created_at=DAY)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"name":"a"}]', b"\xff", b"[" * 100_000,
                b'[{"name":"a","scope":"god","sha256":"' + b"0" * 64 + b'","created_at":""}]'],
)  # fmt: skip
def test_a_token_file_that_mien_did_not_write_is_a_usage_error(
    tokens: TokenStore, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "tokens.json").write_bytes(content)
    with pytest.raises(UsageError, match="cannot use the tokens"):
        tokens.scope_of("mien_x")


@pytest.mark.usefixtures("home")
def test_the_token_commands_create_list_and_revoke(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "list"]) == 0
    assert main(["token", "create", "door"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("no tokens\nmien_")
    assert main(["token", "create", "door"]) == 2
    assert main(["token", "list"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("door  scope unlock  created ")
    assert "mien_" not in listed
    assert main(["token", "revoke", "door"]) == 0
    assert main(["serve", "--host", "0.0.0.0"]) == 2


# TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


def test_with_a_certificate_the_service_speaks_tls(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    import ssl

    cert, key = certificate
    with start_service(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as service:
        assert service.address.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(cert))
        url = service.address.replace("127.0.0.1", "localhost")
        options = {"headers": service.headers, "timeout": HANG_TIMEOUT_S}
        with httpx.Client(verify=trusted, **options) as client:
            assert client.get(f"{url}/v1/people").json()["people"] == []


def test_clients_that_only_connect_do_not_keep_others_from_their_tls_handshake(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    import ssl

    cert, key = certificate
    too_many = 30
    with (
        contextlib.ExitStack() as opened,
        start_service(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as service,
    ):
        port = int(service.address.rstrip("/").rpartition(":")[2])
        silent = [
            opened.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=HANG_TIMEOUT_S)
            )
            for _ in range(MAX_PER_ADDRESS + too_many)
        ]
        trusted = ssl.create_default_context(cafile=str(cert))
        options = {"headers": service.headers, "timeout": HANG_TIMEOUT_S}
        with httpx.Client(verify=trusted, **options) as client:
            assert client.get(f"https://localhost:{port}/v1/people").status_code == 200
        for one in silent[:too_many]:  # the oldest ones were closed by the service
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        silent[-1].setblocking(False)
        with pytest.raises(BlockingIOError):  # the newest one may still begin
            silent[-1].recv(1)
        silent[-1].settimeout(HANG_TIMEOUT_S)
        with trusted.wrap_socket(silent[-1], server_hostname="localhost") as late:
            host = f"localhost:{port}".encode()
            late.sendall(b"GET /v1/health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert late.recv(12) == b"HTTP/1.1 200"
        assert service.stop() == 0  # also while some have not begun


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(200)])
def test_what_is_no_tls_closes_its_connection_alone(
    certificate: tuple[Path, Path], tmp_path: Path, sent: bytes
) -> None:
    cert, key = certificate
    with start_service(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as service:
        port = int(service.address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=HANG_TIMEOUT_S) as bad:
            bad.sendall(sent)
            with contextlib.suppress(ConnectionResetError):
                while bad.recv(100):
                    pass
        assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def test_a_token_file_that_others_can_write_is_refused(tokens: TokenStore, tmp_path: Path) -> None:
    """Whoever can write it can add the hash of a token of their own."""
    secret = tokens.create("door", "unlock", created_at="2026-01-31T12:00:00+00:00")
    assert tokens.scope_of(secret) == "unlock"
    for mode in (0o666, 0o660, 0o602):
        (tmp_path / "tokens.json").chmod(mode)
        with pytest.raises(UsageError, match=r"other users can write it; .* run chmod 600 on it"):
            tokens.scope_of(secret)


def test_a_token_file_that_is_a_pipe_does_not_block(tokens: TokenStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokens.json")
    with pytest.raises(UsageError, match="not a regular file"):
        tokens.stored()
