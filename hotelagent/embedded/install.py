"""Makes `.hotelagent/venv`. Run by path with any Python: the standard library only."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".hotelagent"
VENV = HOME / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = CHECKOUT / "requirements" / "development.txt"
STAMP = VENV / "installed"
DISK = 900 * 1024 * 1024  # bytes: packages, and pip's copies of them while it works
ATTEMPTS = 3


def fingerprint() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def is_ready() -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def make_venv() -> str | None:
    """Why there is no virtual environment, or None."""
    made = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode == 0:
        return None
    if "ensurepip" in made.stdout + made.stderr:
        version = sysconfig.get_python_version()
        return f"Python {version} has no venv module. On Debian: `sudo apt-get install python{version}-venv`."
    return (made.stderr or made.stdout).strip().splitlines()[-1]


def install() -> str | None:
    """Why the packages could not be installed, or None."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [
        "--no-compile"
    ]  # our processes keep compiled modules in .hotelagent/pycache, and only what they use
    command += ["--require-hashes", "-r", str(REQUIREMENTS)]
    for _ in range(ATTEMPTS):
        installed = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
        if installed.returncode == 0:
            return None
        errors = [line for line in installed.stderr.splitlines() if line.startswith("ERROR")]
        if "No space left" in installed.stderr:
            break
    problem = errors[-1] if errors else "pip failed."
    return f"{problem} (Packages come from the network the first time; run the command again to go on.)"


def main() -> int:
    if "--ready" in sys.argv:
        return 0 if is_ready() else 1
    try:
        HOME.mkdir(exist_ok=True)
        with (HOME / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another `make` may be installing
            return set_up()
    except OSError as error:
        print(
            f"{error.filename or HOME}: {error.strerror}. Make the checkout writable for this user, "
            "or delete .hotelagent if another user made it.",
            file=sys.stderr,
        )
        return 1


def set_up() -> int:
    if is_ready():
        return 0
    problem = None
    if not PYTHON.exists():
        if shutil.disk_usage(HOME).free < DISK:
            problem = f"The disk of {HOME} has less than {DISK // 2**20} MB left. Free some and try again."
        else:
            print(
                f"Making {VENV.name} with Python {sysconfig.get_python_version()}",
                flush=True,
            )
            problem = make_venv()
    if not problem:
        print("Installing the pinned packages (a minute or two, only when they changed)", flush=True)
        problem = install()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    STAMP.write_text(fingerprint())
    return 0


if __name__ == "__main__":
    sys.exit(main())
