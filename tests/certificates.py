"""TLS certificates for local test servers, signed by a certificate authority that each test creates."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hotelagent.embedded import paths, ports


@dataclass(frozen=True)
class Certificate:
    """The paths of three files: the authority's certificate, the server's certificate, and the server's private key."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def make(
        cls, folder: Path, *, name: str, expired: bool = False, self_signed: bool = False
    ) -> "Certificate":
        """Create a certificate authority and a server certificate, which is valid for `name` and 127.0.0.1.

        If `self_signed` is true, the authority has not signed the server certificate.
        """
        certificate = cls(folder / f"{name}-ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        address = x509.IPAddress(ipaddress.ip_address(ports.LOOPBACK))
        authority = (
            _certificate_builder(ca_name, ca_name, ca_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(ca_key, SHA256())
        )
        signed = (
            _certificate_builder(server_name, server_name if self_signed else ca_name, key, expired=expired)
            .add_extension(x509.SubjectAlternativeName([address, x509.DNSName(name)]), critical=False)
            .sign(key if self_signed else ca_key, SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate.authority.write_bytes(authority.public_bytes(Encoding.PEM))
        certificate.chain.write_bytes(signed.public_bytes(Encoding.PEM))
        paths.write_private_file(certificate.key, pem.decode())
        return certificate


def _certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool = False
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(
            now + datetime.timedelta(days=1) if not expired else now - datetime.timedelta(minutes=1)
        )
    )
