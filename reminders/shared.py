"""What all mails of a hotel's batch share: its rules, their templates, how its mails look."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection

from reminders.models import Brand, Rule, Template
from reminders.rows import Rows

_RULES = Rows(Rule, of="u")
_TEMPLATES = Rows(Template, of="t")
_BRAND = Rows(Brand, of="b", but={"logo"})
#: Goes with the claim in one message; `results` reads what it answers.
STATEMENTS = f"""
SELECT {_RULES.columns} FROM reminders_rule u;
SELECT {_TEMPLATES.columns} FROM reminders_template t;
SELECT {_BRAND.columns} FROM reminders_brand b
"""  # noqa: S608 - columns of models


@dataclass(frozen=True, slots=True)
class Shared:
    rules: dict[uuid.UUID, Rule]
    templates: dict[uuid.UUID, list[Template]]  # by rule
    brand: Brand


def read() -> Shared:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS)
        return results(cursor)


def results(cursor: Any) -> Shared:
    """The cursor stands at the first of the three."""
    rules = {rule.id: rule for rule in map(_RULES.made, cursor.fetchall())}
    cursor.nextset()
    templates: dict[uuid.UUID, list[Template]] = defaultdict(list)
    for template in map(_TEMPLATES.made, cursor.fetchall()):
        templates[template.rule_id].append(template)
    cursor.nextset()
    brand = next(map(_BRAND.made, cursor.fetchall()), None)
    return Shared(rules, templates, brand or Brand())
