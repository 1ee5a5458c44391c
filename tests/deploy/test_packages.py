"""Tests of the make targets that list the packages of a deployment and look up their known vulnerabilities."""

import json
import re
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hotelagent.embedded import paths
from tests.web import QuietHandler, listening, serving

PINS = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", re.MULTILINE | re.IGNORECASE)


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a make target of this checkout without its prerequisite `install`."""
    return subprocess.run(
        ["make", "--old-file=install", *arguments],
        cwd=paths.CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sbom() -> Any:
    done = make("sbom")
    assert done.returncode == 0, done.stderr
    return json.loads(Path(paths.CHECKOUT, ".hotelagent", "sbom.json").read_text())


def test_sbom_is_valid_against_the_strict_schema_of_cyclonedx(sbom: Any) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert sbom["specVersion"] == "1.6"
    # The target validates the whole file. The strict validation of a few packages is enough, because all are alike.
    part = {**sbom, "components": sbom["components"][:5]}
    assert validator.validate_str(json.dumps(part)) is None
    without_name = {**sbom, "components": [{"type": "library", "version": "1"}]}
    assert validator.validate_str(json.dumps(without_name)) is not None


def test_sbom_lists_the_pinned_packages_of_a_deployment_with_hashes(sbom: Any) -> None:
    pins = set(PINS.findall(Path(paths.CHECKOUT, "requirements", "ses.txt").read_text()))
    assert {"django", "gunicorn", "boto3"} <= {name for name, _version in pins}
    assert {(item["name"], item["version"]) for item in sbom["components"]} == pins
    for item in sbom["components"]:
        assert item["purl"].partition("?")[0] == f"pkg:pypi/{item['name']}@{item['version']}"
        [distribution] = [link for link in item["externalReferences"] if link["type"] == "distribution"]
        assert {digest["alg"] for digest in distribution["hashes"]} == {"SHA-256"}


class AdvisoryHandler(QuietHandler):
    """A vulnerability database with the interface of OSV. It reports one vulnerability, of the package gunicorn."""

    asked: set[str] = set()

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.asked.add(name)
        found = [{"id": "PYSEC-2026-1", "summary": "Planted", "affected": []}] if name == "gunicorn" else []
        self.send_head(200, **{"Content-Type": "application/json"})
        self.wfile.write(json.dumps({"vulns": found} if found else {}).encode())


class CleanAdvisoryHandler(AdvisoryHandler):
    """A vulnerability database with the interface of OSV that reports no vulnerability."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_head(200, **{"Content-Type": "application/json"})
        self.wfile.write(b"{}")


def look_up(handler: type[BaseHTTPRequestHandler]) -> "subprocess.CompletedProcess[str]":
    with serving(listening(handler)) as server:
        url = f"http://127.0.0.1:{server.server_port}/v1/query"
        return make("vulnerabilities", f"ARGS=--vulnerability-service osv --osv-url {url}")


def test_make_target_fails_if_a_pinned_package_has_a_vulnerability() -> None:
    done = look_up(AdvisoryHandler)
    assert done.returncode == 2
    assert re.search(r"gunicorn +\S+ +PYSEC-2026-1", done.stdout)
    assert {"django", "boto3", "pytest"} <= AdvisoryHandler.asked


def test_make_target_succeeds_if_no_package_has_a_vulnerability() -> None:
    done = look_up(CleanAdvisoryHandler)
    assert done.returncode == 0, done.stderr
    assert "No known vulnerabilities found" in done.stderr
