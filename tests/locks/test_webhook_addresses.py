"""Where a webhook may go: to the public internet over TLS, whatever its name says a moment later."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from locks.errors import AddressRefused, NotDelivered
from locks.webhooks import addresses, sending
from tests.locks.receiver import Receiver, receiving

NAME = "pms.hooks.example"


@pytest.fixture
def in_production(settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = False


def leads_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """What the name has for addresses; the resolver is not ours to run."""

    def lookup(_host: str, port: int, *_how: Any, **_named: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.mark.parametrize(
    "url",
    [
        "http://pms.example.com/",
        "ftp://pms.example.com/",
        "https:///hooks",
        "https://user:secret@pms.example.com/",
        "https://pms.example.com/#part",
        "https://pms.example.com/a b",
        "https://pms.example.com:99999/",
        "https://127.0.0.1/",
        "https://10.0.0.5/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
    ],
)
def test_an_address_that_is_refused(in_production: None, url: str) -> None:
    with pytest.raises(AddressRefused):
        addresses.target(url)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1"])
def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(
    in_production: None, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    leads_to(monkeypatch, "93.184.215.14", inner)
    with pytest.raises(AddressRefused, match="not on the public internet"):
        sending.post(f"https://{NAME}/", headers={}, body=b"{}")


def test_a_redirect_is_not_followed() -> None:
    with receiving() as receiver:
        receiver.answers = ["redirect"]
        assert sending.post(receiver.url, headers={}, body=b"{}") == 307
        assert len(receiver.requests) == 1


def test_nobody_there_is_said_without_the_path(unused_port: int) -> None:
    with pytest.raises(NotDelivered) as refused:
        sending.post(f"http://127.0.0.1:{unused_port}/secret-path", headers={}, body=b"{}")
    assert "secret-path" not in refused.value.detail


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Certified:
    """A TLS front before a receiver, with a certificate for NAME that its own authority has signed."""

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self.authority = folder / "authority.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, SHA256())
        )
        self.authority.write_bytes(certificate.public_bytes(Encoding.PEM))
        private = folder / "key.pem"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, private)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._receiver = receiver
        self._context = context
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=[plain], daemon=True).start()

    def _one(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as tls:
                came = b""
                while not came.endswith(b"\r\n\r\n{}") and (more := tls.recv(65536)):
                    came += more
                if self._receiver.answers[0] == "hang":
                    self._receiver.over.wait()
                tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                tls.recv(1)  # until the other side hangs up: a close before it would be a reset
        except OSError:
            return

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Certified]:
    receiver = Receiver()
    front = Certified(receiver, tmp_path)
    yield front
    receiver.over.set()
    front.close()


def test_tls_asks_for_the_name_on_the_address_that_was_judged(
    certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, "127.0.0.1")
    url = f"https://{NAME}:{certified.port}/"
    with pytest.raises(NotDelivered, match="certificate"):
        sending.post(url, headers={}, body=b"{}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certified.authority))
    assert sending.post(url, headers={}, body=b"{}") == 204
    with pytest.raises(NotDelivered, match="certificate"):
        sending.post(f"https://other.example:{certified.port}/", headers={}, body=b"{}")


def test_who_hangs_behind_tls_is_cut_off_too(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certified.authority))
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    certified._receiver.answers = ["hang"]
    with pytest.raises(NotDelivered, match="did not answer within"):
        sending.post(f"https://{NAME}:{certified.port}/", headers={}, body=b"{}")
