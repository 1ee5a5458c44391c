"""Two-factor authentication: codes of an authenticator app (TOTP, RFC 6238) and recovery codes.

django-otp has the algorithm. Its tables are not used: they store the secret of the app unencrypted, and would add three
tables to the schema of each hotel. We store the secret in the user's row, encrypted with a key that is derived from
SECRET_KEY. A recovery code has 60 random bits and is stored as an HMAC with another derived key, so a copy of the
database reveals neither.
"""

import base64
import datetime
import hashlib
import hmac
import secrets
import time
from urllib.parse import quote, urlencode

from django.db import transaction
from django.utils import timezone
from django_otp.oath import TOTP

from hotelagent.core import encryption
from tenants.models import User
from tenants.unaudited import unaudited

#: The duration of a time step, and the length of a code. Authenticator apps assume these values, and many apps ignore
#: the parameters of the QR code that would change them.
STEP_SECONDS, DIGITS = 30, 6
#: The number of time steps by which the clock of the phone may differ from the clock of the server.
TOLERANCE = 1
#: The number of bytes of a secret, which RFC 4226 recommends.
SECRET_BYTES = 20
RECOVERY_CODES = 10
#: The alphabet of recovery codes. It lacks l, o, 0 and 1, because people easily confuse these characters.
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_CODE_LENGTH, _GROUP_LENGTH = 12, 4
_DIGEST_LENGTH = 16
#: After `FREE_FAILURES` wrong codes, the user must wait before each further code, at most `MAX_WAIT_SECONDS`.
FREE_FAILURES, MAX_WAIT_SECONDS = 3, 900


class TooManyCodes(Exception):
    """The user entered too many wrong codes. `seconds` is the time until the next code is checked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Wait {seconds:.0f} seconds.")
        self.seconds = seconds


def generate_secret() -> bytes:
    """Return a new random secret for an authenticator app."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Return the secret in the form in which people type it into an authenticator app (Base32)."""
    return base64.b32encode(secret).decode().rstrip("=")


def setup_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the content of the QR code, from which an authenticator app reads the secret.

    The format is described at https://github.com/google/google-authenticator/wiki/Key-Uri-Format.
    """
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    options = urlencode({"secret": secret_text(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{label}?{options}"


def encrypt_secret(secret: bytes, user: User) -> bytes:
    """Return the encrypted secret. The secret can only be decrypted for this user."""
    return encryption.encrypt(secret, key=_key(b"totp secret"), associated_data=user.pk.bytes)


def decrypt_secret(encrypted: bytes | memoryview, user: User) -> bytes:
    return encryption.decrypt(bytes(encrypted), key=_key(b"totp secret"), associated_data=user.pk.bytes)


def matching_step(secret: bytes, code: str, *, after: int = 0) -> int | None:
    """Return the time step to which the code belongs, or None if the code is wrong, too old or already used.

    Steps up to `after` are refused.
    """
    code = "".join(code.split())
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp = TOTP(secret, step=STEP_SECONDS, digits=DIGITS)
    totp.time = time.time()
    return int(totp.t()) if totp.verify(int(code), tolerance=TOLERANCE, min_t=after + 1) else None


def generate_recovery_codes(user: User) -> tuple[list[str], bytes]:
    """Return new recovery codes, and their digests in the form that is stored in the user's row."""
    codes = []
    for _number in range(RECOVERY_CODES):
        text = "".join(secrets.choice(_ALPHABET) for _character in range(_CODE_LENGTH))
        codes.append("-".join(text[i : i + _GROUP_LENGTH] for i in range(0, _CODE_LENGTH, _GROUP_LENGTH)))
    return codes, b"".join(_digest(code, user) for code in codes)


def unused_recovery_codes(user: User) -> int:
    """Return the number of recovery codes that the user has not used yet."""
    return len(user.recovery_codes) // _DIGEST_LENGTH


@unaudited("The caller records the login, the change or the wrong code.")
def check_code(user: User, code: str) -> bool:
    """Return whether the code is the current code of the user's authenticator app or an unused recovery code.

    The code cannot be used again. The user's row is locked, so of two requests with the same code only one succeeds.
    Wrong codes are counted in the database, so the limit also applies while Redis is down. Raises TooManyCodes.
    """
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        if row.totp_secret is None:
            return False
        _raise_if_throttled(row)
        is_right = _use_code(row, code)
        if is_right:
            row.code_failures, row.code_failed_at = 0, None
        else:
            row.code_failures, row.code_failed_at = min(row.code_failures + 1, 100), timezone.now()
        row.save(update_fields=["totp_last_step", "recovery_codes", "code_failures", "code_failed_at"])
    return is_right


def _raise_if_throttled(user: User) -> None:
    if user.code_failed_at is None or user.code_failures < FREE_FAILURES:
        return
    wait = min(MAX_WAIT_SECONDS, 2.0 ** (user.code_failures - FREE_FAILURES + 3))
    end = user.code_failed_at + datetime.timedelta(seconds=wait)
    seconds = (end - timezone.now()).total_seconds()
    if seconds > 0:
        raise TooManyCodes(seconds)


def _use_code(user: User, code: str) -> bool:
    """Mark the code as used in the instance `user`, without saving it. Return False if the code is wrong."""
    secret = decrypt_secret(user.totp_secret or b"", user)
    step = matching_step(secret, code, after=user.totp_last_step)
    if step is not None:
        user.totp_last_step = step
        return True
    digest = _digest(code, user)
    stored = bytes(user.recovery_codes)
    digests = [stored[i : i + _DIGEST_LENGTH] for i in range(0, len(stored), _DIGEST_LENGTH)]
    # Compare all digests, so that the duration does not reveal which recovery code matches.
    matches = [hmac.compare_digest(digest, each) for each in digests]
    user.recovery_codes = b"".join(each for each, same in zip(digests, matches, strict=True) if not same)
    return any(matches)


def _digest(code: str, user: User) -> bytes:
    text = "".join(character for character in code.lower() if character in _ALPHABET)
    key = _key(b"recovery code")
    return hmac.digest(key, user.pk.bytes + text.encode(), hashlib.sha256)[:_DIGEST_LENGTH]


def _key(purpose: bytes) -> bytes:
    return encryption.derive_key(b"second factor: " + purpose)
