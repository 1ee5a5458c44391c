"""The private keys that sign the checkpoints (signed root hashes) of the audit trails.

The keys are stored outside the database: in an environment variable or in a file, one key per line. Each checkpoint is
signed with all keys, and a verifier needs to know only one of the keys. So a key can be replaced without a gap: the new
key is added first, and the old key is removed later.
"""

import stat
from pathlib import Path

from django.conf import settings

from audit.errors import SigningKeyError
from audit.transparency.errors import InvalidKey
from audit.transparency.notes import PrivateKey

_HOW_TO_CREATE = (
    "Create a key with `manage.py audit_rotate_key FILE`, and set AUDIT_SIGNING_KEY_FILE to the file."
)


def is_configured() -> bool:
    return bool(settings.AUDIT_SIGNING_KEY or settings.AUDIT_SIGNING_KEY_FILE)


def is_missing() -> bool:
    """Return whether AUDIT_SIGNING_KEY_FILE names a file that does not exist. `audit_rotate_key` creates the file."""
    file = settings.AUDIT_SIGNING_KEY_FILE
    return bool(file and not settings.AUDIT_SIGNING_KEY and not Path(file).exists())


def load_signing_keys() -> list[PrivateKey]:
    """Return the configured private keys. There is at least one key.

    The key file is read at each call, so a new key needs no restart. Raises SigningKeyError if no key is configured, or
    if a key or the file cannot be used. The message never contains a key.
    """
    text, source = settings.AUDIT_SIGNING_KEY, "AUDIT_SIGNING_KEY"
    if settings.AUDIT_SIGNING_KEY_FILE:
        if text:
            raise SigningKeyError(
                "AUDIT_SIGNING_KEY and AUDIT_SIGNING_KEY_FILE are both set. Remove one of them."
            )
        source = f"AUDIT_SIGNING_KEY_FILE ({settings.AUDIT_SIGNING_KEY_FILE})"
        text = read_key_file(Path(settings.AUDIT_SIGNING_KEY_FILE))
    elif not text:
        raise SigningKeyError(f"No key is configured, so the audit trail is not sealed. {_HOW_TO_CREATE}")
    return parse_keys(text, source)


def read_key_file(path: Path) -> str:
    """Return the text of a key file. Raises SigningKeyError if other users can read the file."""
    try:
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SigningKeyError(
                f"Every user of this machine can read or change the key file {path}. Run `chmod o= {path}`. "
                "If other people use the machine, replace the key with `manage.py audit_rotate_key`."
            )
        return path.read_text()
    except OSError as error:
        raise SigningKeyError(f"The key file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SigningKeyError(f"The key file {path} does not contain text. {_HOW_TO_CREATE}") from error


def parse_keys(text: str, source: str) -> list[PrivateKey]:
    """Return the private keys in a text. `source` is the origin of the text, for error messages.

    Raises SigningKeyError if a key is invalid.
    """
    lines = text.split()
    if not lines:
        raise SigningKeyError(f"{source} contains no key. {_HOW_TO_CREATE}")
    try:
        keys = [PrivateKey.parse(line) for line in lines]
    except InvalidKey as error:
        raise SigningKeyError(f"{source} contains an invalid key: {error}") from error
    if len({key.public for key in keys}) < len(keys):
        raise SigningKeyError(f"{source} contains the same key twice. Remove one of the lines.")
    return keys
