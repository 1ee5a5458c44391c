"""What all mails of a hotel share: its rules, their templates, how its mails look.

A worker keeps it from batch to batch: reading it took longer than all else that a small batch asks of the database.
It holds for one hotel and one revision, a digest of it all that the database writes with each change (migration
0003_brand) and each claim reads: what was committed before a mail is claimed is in that mail.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reminders.models import EmailBranding, Rule, Template
from reminders.sending.rows import Rows
from tenants.context import current_hotel

#: Hotels of which a process keeps it, some 30 kB each. The one that was read first makes room.
MOST_KEPT: Final = 1_000

_RULES, _TEMPLATES, _BRANDS = Rows(Rule), Rows(Template), Rows(EmailBranding)


@dataclass(frozen=True, slots=True)
class Shared:
    """Its models are read by several threads: none may be changed."""

    rules: dict[uuid.UUID, Rule]
    templates: dict[uuid.UUID, list[Template]]  # by rule
    branding: EmailBranding


@dataclass(frozen=True, slots=True)
class Kept:
    revision: str
    shared: Shared


_kept: OrderedDict[uuid.UUID | None, Kept] = OrderedDict()  # by hotel
_lock = threading.Lock()


def kept() -> Kept | None:
    """What this process has of the current hotel."""
    return _kept.get(current_hotel().id)


def keep(found: Mapping[str, Any]) -> Shared:
    """What a claim in the current hotel answered, because its revision is another than that of `kept`."""
    newer = Kept(
        found["revision"],
        _shared(
            map(_RULES.made, found["rules"]),
            map(_TEMPLATES.made, found["templates"] or ()),
            _BRANDS.made(found["branding"]),
        ),
    )
    hotel = current_hotel().id
    with _lock:
        _kept[hotel] = newer
        _kept.move_to_end(hotel)
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return newer.shared


def read() -> Shared:
    return _shared(Rule.objects.all(), Template.objects.all(), EmailBranding.objects.defer("logo").get())


def _shared(rules: Iterable[Rule], templates: Iterable[Template], branding: EmailBranding) -> Shared:
    by_rule: dict[uuid.UUID, list[Template]] = defaultdict(list)
    for template in templates:
        by_rule[template.rule_id].append(template)
    return Shared({rule.id: rule for rule in rules}, dict(by_rule), branding)
