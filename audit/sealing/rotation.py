"""The replacement of the key that signs the trails.

A rotation has two steps. Between the steps, both keys sign, so that every verifier knows one of the keys and each log
has a checkpoint with both signatures:

1. `begin_rotation` writes a key file with a new key and the current keys, and adds the signature of the new key to the
   newest checkpoint of each log.
2. `finish_rotation` writes a key file with the new key only.
"""

from pathlib import Path

from django.conf import settings

from audit.errors import SigningKeyError
from audit.sealing import keys, logs
from audit.sealing.events import KEY_ADDED, KEY_REMOVED
from audit.sealing.run import RunResult, countersign_all
from audit.services import record
from audit.transparency.notes import PrivateKey, PublicKey
from tenants.lifecycle.backup import output_file


def begin_rotation(path: Path) -> PublicKey:
    """Write a key file with a new key and the current keys, and return the new public key.

    Without current keys, this creates the first key. Raises SigningKeyError.
    """
    current = keys.load_signing_keys() if keys.is_configured() and not keys.is_missing() else []
    _refuse_other_file(path)
    new = PrivateKey.generate(settings.PLATFORM_HOST)
    _write(path, [new, *current])
    result = RunResult()
    countersign_all(logs.open_logs().values(), [new, *current], result)
    record(KEY_ADDED, key=new.public.text)
    _raise_problems(result, f"{path} has the new key, but the old key must stay in it.")
    return new.public


def finish_rotation(path: Path) -> list[PublicKey]:
    """Write a key file with the newest of the current keys only, and return the removed public keys.

    Raises SigningKeyError if there is only one key, or if a log has no checkpoint with the signature of the newest key.
    """
    newest, *others = keys.load_signing_keys()
    _refuse_other_file(path)
    if not others:
        raise SigningKeyError(
            "There is only one key. Begin a rotation first: `manage.py audit_rotate_key FILE`."
        )
    result = RunResult()
    countersign_all(logs.open_logs().values(), [newest, *others], result)
    _raise_problems(result, "No key was removed.")
    _write(path, [newest])
    removed = [key.public for key in others]
    for key in removed:
        record(KEY_REMOVED, key=key.text)
    return removed


def _refuse_other_file(path: Path) -> None:
    """Raise SigningKeyError if the file exists and is not the configured key file.

    The configured key file may be overwritten, because all of its keys are written again.
    """
    current = settings.AUDIT_SIGNING_KEY_FILE
    if path.exists() and not (current and path.samefile(current)):
        raise SigningKeyError(f"{path} exists and is not the configured key file. Choose another name.")


def _raise_problems(result: RunResult, consequence: str) -> None:
    for name, reason in result.problems.items():
        raise SigningKeyError(f"The log {name} cannot be signed: {reason} {consequence}")


def _write(path: Path, private_keys: list[PrivateKey]) -> None:
    """Write the key file so that only its owner can read it. After an error, the previous file remains unchanged."""
    text = "".join(f"{key.text}\n" for key in private_keys)
    try:
        with output_file.new_file(path) as (file, temporary):
            file.write(text.encode())
            output_file.flush_to_disk(file)
            temporary.replace(path)
    except OSError as error:
        raise SigningKeyError(f"{path} cannot be written: {error.strerror}.") from error
