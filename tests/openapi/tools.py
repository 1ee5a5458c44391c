"""The tools that read the OpenAPI documents of the repository: linters, and generators of clients.

`make api-lint` runs this module. It installs the tools in .hotelagent, and fails if a tool reports anything. With the
option `--install`, it only installs the tools.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hotelagent.embedded import paths

HERE = Path(__file__).parent
NODE_MODULES = paths.HOME / "openapi" / "node_modules"
DOCUMENTS = sorted((paths.CHECKOUT / "hotelagent/rest/documentation/schemas").glob("*.json"))
PACKAGES = ("package.json", "package-lock.json")


def are_installed() -> bool:
    """Return whether the versions of the tools in package-lock.json are installed."""
    return NODE_MODULES.is_dir() and all(
        (HERE / name).read_bytes() == (NODE_MODULES.parent / name).read_bytes() for name in PACKAGES
    )


def install() -> None:
    """Install the tools that are npm packages. If npm is missing, install Node.js from a Python package first."""
    if are_installed():
        return
    shutil.rmtree(NODE_MODULES.parent, ignore_errors=True)
    paths.private_folder(NODE_MODULES.parent)
    for name in PACKAGES:
        shutil.copy(HERE / name, NODE_MODULES.parent)
    if not shutil.which("npm"):
        requirements = paths.CHECKOUT / "requirements/node.txt"
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(requirements)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=NODE_MODULES.parent, env=_environment(), check=True,
    )  # fmt: skip


def run(*command: str) -> str:
    """Run a tool in the folder of its configuration. Return its output if it failed, or else an empty text."""
    result = subprocess.run(
        command, cwd=HERE, env=_environment(), capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr if result.returncode else ""


def lint_with_redocly(document: Path) -> str:
    return run("redocly", "lint", str(document), "--config", "redocly.yaml", "--format", "codeframe")


def lint_with_spectral(document: Path) -> str:
    return run("spectral", "lint", str(document), "--ruleset", "spectral.yaml", "--fail-severity", "hint")


def generate_typescript(document: Path) -> str:
    """Generate TypeScript types of the document, and compile them."""
    with tempfile.TemporaryDirectory() as folder:
        types = str(Path(folder, "types.ts"))
        problems = run("openapi-typescript", str(document), "--output", types)
        return problems or run("tsc", "--noEmit", "--strict", "--target", "es2022", types)


def generate_python(document: Path, folder: Path | None = None) -> str:
    """Generate a Python client of the document, in the folder `client` of `folder`."""
    with tempfile.TemporaryDirectory() as temporary:
        output = str((folder or Path(temporary)) / "client")
        options = ["--config", "python_client.yaml", "--output-path", output, "--meta", "none"]
        return run(
            "openapi-python-client", "generate", "--path", str(document), *options, "--fail-on-warning"
        )


CHECKS = (lint_with_redocly, lint_with_spectral, generate_typescript, generate_python)


def _environment() -> dict[str, str]:
    """Return environment variables that let programs find the installed tools, and that turn off usage reports."""
    folders = (str(NODE_MODULES / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"])
    return {
        **os.environ,
        "PATH": os.pathsep.join(folders),
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
        "NODE_NO_WARNINGS": "1",
    }


def main(*arguments: str) -> int:
    install()
    if arguments == ("--install",):
        return 0
    failed = 0
    for document in DOCUMENTS:
        for check in CHECKS:
            problems = check(document)
            failed += bool(problems)
            sys.stdout.write(f"{document.name}: {check.__name__}: {problems or 'no problem'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
