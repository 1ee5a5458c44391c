"""The folders for the development environment's data. All are in `.hotelagent`, which git ignores."""

import os
import shutil
from pathlib import Path

from hotelagent.embedded.errors import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".hotelagent"
RUN = HOME / "run"
MAIL = HOME / "mail"

#: Disk space in bytes that a new database cluster, its write-ahead log and the demonstration data need.
REQUIRED_BYTES = 400 * 1024 * 1024


def private_folder(path: Path) -> Path:
    """Create the folder if it does not exist, let only its owner read it, and return its path.

    Raises EmbeddedError if the folder can't be created or written to.
    """
    try:
        HOME.mkdir(exist_ok=True)
        path.mkdir(parents=True, exist_ok=True)
        if path.stat().st_uid == os.geteuid():
            path.chmod(0o700)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or path} can't be created or changed ({error.strerror}). Make the checkout writable for "
            "this user, or delete .hotelagent if another user created it."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EmbeddedError(
            f"{path} belongs to another user. Run this as that user, or delete the folder and the data in it."
        )
    return path


def write_private_file(path: Path, text: str) -> None:
    """Write the text to a file that only its owner can read. An existing file is replaced atomically."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def require_disk_space(path: Path) -> None:
    """Raise EmbeddedError if the disk that contains this path has less than `REQUIRED_BYTES` left."""
    free = shutil.disk_usage(path).free
    if free < REQUIRED_BYTES:
        raise EmbeddedError(
            f"The disk of {path} has {free // 2**20} MB left, but {REQUIRED_BYTES // 2**20} MB are needed. Free disk "
            "space or move the checkout to another disk."
        )
