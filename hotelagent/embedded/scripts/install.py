"""The script that creates the virtual environment `.hotelagent/venv` and installs the pinned packages in it.

The Makefile runs this file with the system's Python, so the script uses only the standard library.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
HOME = CHECKOUT / ".hotelagent"
VENV = HOME / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = CHECKOUT / "requirements" / "development.txt"
#: The file in which `install` stores a digest of the requirements file whose packages are installed.
STAMP = VENV / "installed"
#: Required disk space in bytes, including the temporary copies that pip makes while it installs packages.
REQUIRED_BYTES = 900 * 1024 * 1024
ATTEMPTS = 3


def fingerprint() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def is_ready() -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def create_venv() -> str | None:
    """Create the virtual environment. Return None, or an error message if it could not be created."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if result.returncode == 0:
        return None
    if "ensurepip" in result.stdout + result.stderr:
        version = sysconfig.get_python_version()
        return f"Python {version} has no venv module. On Debian, run `sudo apt-get install python{version}-venv`."
    return (result.stderr or result.stdout).strip().splitlines()[-1]


def install() -> str | None:
    """Install the pinned packages. Return None, or an error message if the installation failed."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # pip need not compile the modules. Python compiles a module when it is imported, into .hotelagent/pycache.
    command += ["--no-compile"]
    command += ["--require-hashes", "-r", str(REQUIREMENTS)]
    for _ in range(ATTEMPTS):
        installed = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
        if installed.returncode == 0:
            return None
        errors = [line for line in installed.stderr.splitlines() if line.startswith("ERROR")]
        if "No space left" in installed.stderr:
            break
    problem = errors[-1] if errors else "pip failed."
    return f"{problem} (The packages are downloaded, so this needs the network. Run the command again to continue.)"


def main() -> int:
    if "--ready" in sys.argv:
        return 0 if is_ready() else 1
    try:
        HOME.mkdir(exist_ok=True)
        with (HOME / "install.lock").open("w") as lock:
            # If another `make` is installing the packages, flock waits until that installation has ended.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return set_up()
    except OSError as error:
        print(
            f"{error.filename or HOME}: {error.strerror}. Make the checkout writable for this user, or delete "
            ".hotelagent if another user created it.",
            file=sys.stderr,
        )
        return 1


def set_up() -> int:
    if is_ready():
        return 0
    problem = None
    if not PYTHON.exists():
        if shutil.disk_usage(HOME).free < REQUIRED_BYTES:
            required = REQUIRED_BYTES // 2**20
            problem = f"The disk of {HOME} has less than {required} MB left. Free disk space and try again."
        else:
            print(
                f"Creating the virtual environment with Python {sysconfig.get_python_version()}",
                flush=True,
            )
            problem = create_venv()
    if not problem:
        print("Installing the pinned packages (one or two minutes, only after they have changed)", flush=True)
        problem = install()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    STAMP.write_text(fingerprint())
    return 0


if __name__ == "__main__":
    sys.exit(main())
