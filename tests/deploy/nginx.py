"""Debian's nginx with the configuration of deploy/nginx, for tests."""

import getpass
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hotelagent.embedded import paths, ports, processes
from tests import servers
from tests.certificates import Certificate
from tests.deploy.reverse_proxy import LoopbackConnection

CONFIGURATION = paths.CHECKOUT / "deploy" / "nginx" / "hotelagent.conf"


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Nginx:
    """nginx with deploy/nginx/hotelagent.conf in front of a local web server.

    Only the ports, the name of the web server and the paths of the certificate are replaced.
    """

    def __init__(self, folder: Path, *, target: int, certificate: Certificate) -> None:
        self.folder = folder
        self.certificate = certificate
        self.http_port, self.https_port, self.health_port = (ports.find_free_port() for _ in range(3))
        text = CONFIGURATION.read_text()
        for old, new in (
            ("server web:8000;", f"server {ports.LOOPBACK}:{target};"),
            ("listen 80 ", f"listen {ports.LOOPBACK}:{self.http_port} "),
            ("listen 443 ", f"listen {ports.LOOPBACK}:{self.https_port} "),
            ("listen 127.0.0.1:8080;", f"listen {ports.LOOPBACK}:{self.health_port};"),
            ("/etc/nginx/tls/fullchain.pem", str(folder / "fullchain.pem")),
            ("/etc/nginx/tls/privkey.pem", str(folder / "privkey.pem")),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        shutil.copy(certificate.chain, folder / "fullchain.pem")
        shutil.copy(certificate.key, folder / "privkey.pem")
        temporary = "".join(
            f"    {name}_temp_path {folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off;\nuser {getpass.getuser()};\nworker_processes 2;\npid {folder}/pid;\n"
            f"events {{}}\nhttp {{\n    access_log off;\n{temporary}{text}}}\n"
        )

    def __enter__(self) -> Self:
        log = self.folder / "log"
        with log.open("wb") as output:
            self.process = processes.start(self._command(), output=output)
        servers.wait_until_listening(self.process, self.https_port, log)
        return self

    def __exit__(self, *_: object) -> None:
        processes.stop(self.process, signal_number=signal.SIGQUIT, timeout=10)

    def reload(self) -> None:
        """Make nginx read its configuration again, as an operator does after the renewal of a certificate."""
        subprocess.run([*self._command(), "-s", "reload"], check=True, capture_output=True)

    def _command(self) -> list[str]:
        program = find_nginx()
        assert program, "nginx is not installed: `apt-get install nginx-light`."
        options = ("-p", self.folder, "-e", self.folder / "errors", "-c", self.folder / "nginx.conf")
        return [program, *map(str, options)]

    def request(
        self,
        method: str,
        path: str,
        *,
        host: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Response":
        """Send a request over TLS with a new connection, and verify the certificate for the host."""
        context = ssl.create_default_context(cafile=self.certificate.authority)
        connection = LoopbackConnection(host, self.https_port, context=context, timeout=60)
        try:
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            response = connection.getresponse()
            return Response(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Response:
    """The status, the headers and the body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes
