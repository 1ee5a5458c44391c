"""The password hasher of staff accounts: Argon2id with the parameters that OWASP recommends.

See https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """Django's Argon2id hasher with 19 MiB and one thread. Its defaults are 100 MiB and eight threads."""

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1
