"""The file in which `audit_verify --remember` stores the newest checkpoint of each log.

The file is outside the database. So the next verification finds that a history was shortened or replaced, even if the
new checkpoints have valid signatures.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from audit.verification.results import UndeterminedTrail


def read_remembered(path: Path) -> dict[str, str]:
    """Return a dict that maps the names of logs to the signed checkpoints in the file.

    If the file does not exist, return an empty dict. Raises UndeterminedTrail if the file cannot be read.
    """
    try:
        remembered = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UndeterminedTrail(
            f"The file {path} cannot be read: {error}. Without it, cuts are not found."
        ) from error
    if not isinstance(remembered, dict) or not all(isinstance(note, str) for note in remembered.values()):
        raise UndeterminedTrail(f"The file {path} was not written by audit_verify --remember.")
    return remembered


def write_remembered(path: Path, notes: Mapping[str, str]) -> None:
    """Write these checkpoints to the file.

    If an error occurs, the previous file remains unchanged. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(dict(notes), indent=1, sort_keys=True) + "\n")
    temporary.replace(path)
