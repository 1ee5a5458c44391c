"""Who holds or waits, by name: what is stored is the key's or the person's id."""

from typing import Any

from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from tenants.models import ApiKey, User


def _named(people: QuerySet[Any], kind: str, name: str) -> Subquery:
    """The holder's name, if it is one of these."""
    holder = Concat(Value(f"{kind}:"), Cast("id", CharField()))
    return Subquery(people.alias(holder=holder).filter(holder=OuterRef("holder")).values(name)[:1])


def with_names(rows: QuerySet[Any]) -> QuerySet[Any]:
    people = _named(User.objects.all(), "user", "username")
    keys = _named(ApiKey.objects.all(), "key", "name")
    named: QuerySet[Any] = rows.annotate(client=Coalesce(people, keys))
    return named


class NamesHolder:
    """For the admin of rows of `with_names`."""

    @display(description=_("holder"), ordering="holder")
    def made_by(self, row: Any) -> str:
        """A person's or a key's name; what an operator brought in says so."""
        holder: str = row.holder
        if holder.startswith("command:"):
            return str(_("import")) if holder == "command:import_reservations" else str(_("operator"))
        return getattr(row, "client", None) or holder
