"""Where everything stands that this machine makes: one git-ignored folder of the checkout."""

import os
import shutil
from pathlib import Path

from hotelagent.embedded.errors import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".hotelagent"
RUN = HOME / "run"
MAIL = HOME / "mail"

# A new cluster with its first WAL segments and the demonstration's rows.
ROOM_NEEDED = 400 * 1024 * 1024


def private_folder(path: Path) -> Path:
    """The folder, made if need be; nobody else looks into it.

    Raises EmbeddedError where it cannot be made or written.
    """
    try:
        HOME.mkdir(exist_ok=True)
        path.mkdir(parents=True, exist_ok=True)
        if path.stat().st_uid == os.geteuid():
            path.chmod(0o700)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or path} cannot be made or changed ({error.strerror}). Make the checkout "
            "writable for this user, or delete .hotelagent if another user made it."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EmbeddedError(
            f"{path} belongs to another user. Run this as that user, or delete it (its data goes with it)."
        )
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; whoever reads it finds all of it or none."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def demand_room(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < ROOM_NEEDED:
        raise EmbeddedError(
            f"The disk of {path} has {free // 2**20} MB left and {ROOM_NEEDED // 2**20} MB are needed. "
            "Free some, or put the checkout on another disk."
        )
