"""Tests of the coloured labels of states in the lists of the admin."""

from collections.abc import Iterator
from typing import Any

from hotelagent.admin.sites import hotel_site, platform_site


def labels_of_fields() -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield the name of each column with coloured labels of a field, its choices, and the codes with a colour."""
    for site in (hotel_site, platform_site):
        for model, model_admin in site._registry.items():
            for column in model_admin.list_display:
                method: Any = getattr(model_admin, str(column), None)
                colours, field_name = (
                    getattr(method, "label", None),
                    getattr(method, "admin_order_field", None),
                )
                if isinstance(colours, dict) and field_name:
                    choices = model._meta.get_field(field_name).choices or []
                    yield (
                        f"{model.__name__}.{column}",
                        {str(code) for code, _ in choices},
                        set(map(str, colours)),
                    )


def test_every_state_has_a_colour_because_unfold_shows_the_code_of_other_states() -> None:
    found = list(labels_of_fields())
    assert len(found) > 5
    assert {name: choices - colours for name, choices, colours in found if choices - colours} == {}
