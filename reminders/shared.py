"""What all mails of a hotel's batch share: their templates, and how the hotel's mails look."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from reminders.models import Brand, Template


@dataclass(frozen=True, slots=True)
class Shared:
    templates: dict[uuid.UUID, list[Template]]  # by rule
    brand: Brand


def shared(templates: Iterable[Template], *, brand: Brand | None) -> Shared:
    by_rule: dict[uuid.UUID, list[Template]] = defaultdict(list)
    for template in templates:
        by_rule[template.rule_id].append(template)
    return Shared(by_rule, brand or Brand())


def read() -> Shared:
    return shared(Template.objects.all(), brand=Brand.objects.defer("logo").first())
