"""Declarations of personal data and secrets in tables, and their masks in a masked backup.

Each app declares the columns of its tables in the module `personal_data.py`. A masked backup fails if a column that can
hold personal data is not declared. A mask is an SQL expression, so the original values never leave the database. Equal
values have equal masks, which are computed with a secret key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper
from django.utils.crypto import salted_hmac

from tenants.database import quoting
from tenants.tracked_rows import declare_tracked_rows

#: The type of a mask: a function from a quoted column name to the SQL expression that replaces the column.
Mask = Callable[[str], str]

#: The PostgreSQL setting that contains a secret key during a masked backup. Masks use the key to replace values.
_KEY_SETTING = "hotelagent.mask_key"


@dataclass(frozen=True, slots=True)
class DeclaredColumns:
    """The declared columns of a table: the columns that a masked backup masks, and the columns that it keeps."""

    masked: Mapping[str, Mask]
    kept: frozenset[str]


_declared: dict[str, DeclaredColumns] = {}
_omitted: set[str] = set()
_people: set[str] = set()


class UndeclaredColumns(LookupError):
    """A table has columns for personal data, and no app has declared whether a backup masks or keeps these columns."""


def declare_columns(
    table: str, *, masked: Mapping[str, Mask] | None = None, kept: Iterable[str] = ()
) -> None:
    """Declare which columns of the table a masked backup masks, and which it keeps."""
    _declared[table] = DeclaredColumns(masked or {}, frozenset(kept))


def omit_rows(*tables: str) -> None:
    """Declare that a masked backup omits all rows of these tables."""
    _omitted.update(tables)


def declare_people(*tables: str) -> None:
    """Declare that the rows of these tables identify guests or staff, so that reading them is recorded."""
    _people.update(tables)


def identifies_people(table: str) -> bool:
    """Return whether the rows of the table identify guests or staff (see `declare_people`)."""
    return table in _people


def omitted_tables() -> list[str]:
    """Return the tables of which a masked backup omits all rows."""
    return sorted(_omitted)


def is_omitted(table: str) -> bool:
    return table in _omitted


def masked_expressions(table: str, columns: Iterable[str], *, sensitive: Iterable[str]) -> dict[str, str]:
    """Return a dict that maps each masked column to the SQL expression of its mask.

    Raises UndeclaredColumns if one of the `sensitive` columns is not declared.
    """
    declared = _declared.get(table, DeclaredColumns({}, frozenset()))
    if unknown := [name for name in sensitive if name not in declared.masked and name not in declared.kept]:
        raise UndeclaredColumns(
            f"{table}: the columns {', '.join(unknown)} are not declared for masked backups. "
            "Declare them in the personal_data.py of the app."
        )
    return {
        name: declared.masked[name](quoting.identifier(name)) for name in columns if name in declared.masked
    }


def set_mask_key(cursor: CursorWrapper) -> None:
    """Set the secret key that masks use to replace values. The key is set until the open transaction ends.

    Masks fail if no key is set.
    """
    key = salted_hmac("tenants.personal_data", "").hexdigest()
    cursor.execute(f"SET LOCAL {_KEY_SETTING} TO {quoting.literal(key)}")


# The following functions are masks. A mask returns the SQL expression that replaces a column's value.


def _digest(column: str) -> str:
    return f"sha256(convert_to(current_setting('{_KEY_SETTING}') || lower({column}::text), 'UTF8'))"


def _unless_empty(column: str, expression: str) -> str:
    return f"CASE WHEN {column} = '' THEN '' ELSE {expression} END"


def mask_token(column: str) -> str:
    """Return the SQL expression that replaces an identifier with 16 hexadecimal digits."""
    return _unless_empty(column, f"left(encode({_digest(column)}, 'hex'), 16)")


def mask_name(column: str) -> str:
    """Return the SQL expression that replaces a name with `Guest` and 8 hexadecimal digits."""
    return _unless_empty(column, f"'Guest ' || left(encode({_digest(column)}, 'hex'), 8)")


def mask_email(column: str) -> str:
    """Return the SQL expression that replaces an e-mail address with an address at example.com.

    The domain example.com accepts no mail, because RFC 2606 (https://www.rfc-editor.org/rfc/rfc2606) reserves it.
    """
    return _unless_empty(column, f"left(encode({_digest(column)}, 'hex'), 16) || '@example.com'")


def mask_phone(column: str) -> str:
    """Return the SQL expression that replaces a phone number with a number that Ofcom reserves for films."""
    return _unless_empty(
        column, f"'+447700900' || lpad((get_byte({_digest(column)}, 0) * 3 % 1000)::text, 3, '0')"
    )


def mask_text(column: str) -> str:
    """Return the SQL expression that replaces free text with `(masked)`."""
    return _unless_empty(column, "'(masked)'")


def mask_secret(column: str) -> str:
    """Return the SQL expression that replaces a secret with a digest, from which the secret cannot be computed."""
    return f"CASE WHEN {column} IS NOT NULL THEN {_digest(column)} END"


def mask_password(_column: str) -> str:
    """Return the SQL expression that replaces a password hash with Django's marker for an unusable password."""
    return "'!'"


def mask_json(column: str) -> str:
    """Return the SQL expression that replaces a JSON document with an empty object."""
    return f"CASE WHEN {column} IS NOT NULL THEN '{{}}'::jsonb END"


# Masked backups omit domains and guest contacts. Otherwise, guests could be led to a masked copy of the hotel.
declare_columns(
    "tenants_hotel",
    masked={"email": mask_email, "former_hosts": lambda _column: "'{}'::varchar[]"},
    kept=("slug", "name", "status", "schema", "time_zone", "language", "schema_version"),
)
declare_columns("tenants_dueitem", kept=("kind", "initiator", "traceparent"))
omit_rows(
    "tenants_domain",
    "tenants_contactidentifier",
    "tenants_hotelfigures",
    "tenants_hotelusage",
    "tenants_managerinvitation",
    "tenants_supportsession",
)
declare_columns(
    "tenants_user",
    masked={
        "username": mask_token,
        "full_name": mask_name,
        "email": mask_email,
        "password": mask_password,
        "totp_secret": lambda _column: "NULL::bytea",
        "recovery_codes": lambda _column: "''::bytea",
    },
    kept=("role", "language"),
)
declare_columns("django_migrations", kept=("app", "name"))
omit_rows("tenants_apikey", "tenants_idempotencykey", "tenants_session")
declare_people("tenants_user", "tenants_contactidentifier")
# Times of the last login or last use are not tracked, because they change often and other events record logins.
declare_tracked_rows(
    "tenants_user",
    kind="user",
    plain=(
        "role",
        "language",
        "is_active",
        "deactivated_at",
        "must_change_password",
        "second_factor_changed_at",
        "created_at",
    ),
    personal=("username", "full_name", "email"),
    secret=("password", "totp_secret", "recovery_codes"),
    ignored=("last_login", "totp_last_step", "code_failures", "code_failed_at"),
)
declare_tracked_rows(
    "tenants_apikey",
    kind="api_key",
    plain=("name", "prefix", "scopes", "created_at", "expires_at", "revoked_at"),
    secret=("digest",),
    ignored=("last_used_at",),
)
