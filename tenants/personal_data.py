"""Which columns could tell who somebody is or let somebody in, and what a masked copy of a hotel has in their place.

Each app says it of its tables in its own `personal_data.py`: every column of text, JSON, bytes or addresses is either
`masked` or `kept`, or the whole table is left empty. What nobody spoke of is refused: a new column can't slip out.

A mask is SQL, so what it hides never leaves the database. The same value has the same mask wherever it stands, and
in the next copy too; a key of this deployment's goes into it, so nobody else can try out values.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper
from django.utils.crypto import salted_hmac

from tenants.database import quoting

#: Makes SQL of the quoted column.
Mask = Callable[[str], str]

_KEY = "hotelagent.mask_key"


@dataclass(frozen=True, slots=True)
class Declared:
    masked: Mapping[str, Mask]
    kept: frozenset[str]


_tables: dict[str, Declared] = {}
_emptied: set[str] = set()


class UndeclaredColumns(LookupError):
    """Columns that nobody spoke of."""


def declare_columns(
    table: str, *, masked: Mapping[str, Mask] | None = None, kept: Iterable[str] = ()
) -> None:
    _tables[table] = Declared(masked or {}, frozenset(kept))


def omit_rows(*tables: str) -> None:
    """In a masked copy these have no rows."""
    _emptied.update(tables)


def is_omitted(table: str) -> bool:
    return table in _emptied


def masked_expressions(table: str, columns: Iterable[str], *, telling: Iterable[str]) -> dict[str, str]:
    """Column -> SQL, of those that are masked. Raises UndeclaredColumns for one of `telling` that nobody spoke of."""
    declared = _tables.get(table, Declared({}, frozenset()))
    if unknown := [name for name in telling if name not in declared.masked and name not in declared.kept]:
        raise UndeclaredColumns(
            f"{table}: nobody said whether {', '.join(unknown)} may be in a masked copy. "
            "Say so in the app's personal_data.py."
        )
    return {
        name: declared.masked[name](quoting.identifier(name)) for name in columns if name in declared.masked
    }


def set_mask_key(cursor: CursorWrapper) -> None:
    """Let the masks work until the open transaction ends."""
    cursor.execute(
        f"SET LOCAL {_KEY} TO {quoting.literal(salted_hmac('tenants.personal_data', '').hexdigest())}"
    )


# Masks


def _digest(column: str) -> str:
    return f"sha256(convert_to(current_setting('{_KEY}') || lower({column}::text), 'UTF8'))"


def _unless_empty(column: str, value: str) -> str:
    return f"CASE WHEN {column} = '' THEN '' ELSE {value} END"


def mask_token(column: str) -> str:
    """Sixteen digits: another name for the same thing."""
    return _unless_empty(column, f"left(encode({_digest(column)}, 'hex'), 16)")


def mask_name(column: str) -> str:
    return _unless_empty(column, f"'Guest ' || left(encode({_digest(column)}, 'hex'), 8)")


def mask_email(column: str) -> str:
    """Under example.com, where no mail is taken. https://www.rfc-editor.org/rfc/rfc2606"""
    return _unless_empty(column, f"left(encode({_digest(column)}, 'hex'), 16) || '@example.com'")


def mask_phone(column: str) -> str:
    """A number that no phone has: Ofcom keeps these for films.
    https://www.ofcom.org.uk/phones-and-broadband/phone-numbers/numbers-for-drama
    """
    return _unless_empty(
        column, f"'+447700900' || lpad((get_byte({_digest(column)}, 0) * 3 % 1000)::text, 3, '0')"
    )


def mask_text(column: str) -> str:
    """For what people wrote."""
    return _unless_empty(column, "'(masked)'")


def mask_secret(column: str) -> str:
    """Bytes that open nothing."""
    return f"CASE WHEN {column} IS NOT NULL THEN {_digest(column)} END"


def mask_password(_column: str) -> str:
    """What Django takes for a password that nobody can have."""
    return "'!'"


def mask_json(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN '{{}}'::jsonb END"


# Of tenants' own tables. A copy is reached at its own slug, and nobody's contact leads to it.
declare_columns(
    "tenants_hotel",
    masked={"email": mask_email},
    kept=("slug", "name", "status", "schema", "time_zone", "language", "schema_version"),
)
declare_columns("tenants_dueitem", kept=("kind",))
omit_rows("tenants_domain", "tenants_contactidentifier")
declare_columns(
    "tenants_user",
    masked={"username": mask_token, "full_name": mask_name, "email": mask_email, "password": mask_password},
    kept=("role", "language"),
)
declare_columns("django_migrations", kept=("app", "name"))
omit_rows("tenants_apikey", "tenants_idempotencykey", "django_session")
