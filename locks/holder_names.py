"""Display names of the holders of allocations and waiting list entries.

A holder is an API key, a user or a command, and is stored as `<kind>:<id>`.
"""

from typing import Any

from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext as _

from tenants.models import ApiKey, User


def with_holder_names(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate rows with `holder_name`: the name of the user or API key that is the row's `holder`, or None."""
    user_name = _name_of_holder(User.objects.all(), kind="user", field="username")
    key_name = _name_of_holder(ApiKey.objects.all(), kind="key", field="name")
    annotated: QuerySet[Any] = queryset.annotate(holder_name=Coalesce(user_name, key_name))
    return annotated


def _name_of_holder(candidates: QuerySet[Any], *, kind: str, field: str) -> Subquery:
    holder = Concat(Value(f"{kind}:"), Cast("id", CharField()))
    return Subquery(candidates.alias(holder=holder).filter(holder=OuterRef("holder")).values(field)[:1])


def holder_name(row: Any) -> str:
    """Return the name of the holder in the current language.

    `row` is an allocation or a waiting list entry from a queryset that `with_holder_names` returned.
    """
    if row.holder == "command:import_reservations":
        return _("Import")
    if row.holder.startswith("command:"):
        return _("Operator")
    if row.holder.startswith("system:"):
        return _("Automatic")
    name: str = row.holder_name or row.holder
    return name
