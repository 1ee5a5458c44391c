"""The cache of hotels' mail settings (rules, templates and branding) in each worker process.

The function that claims reminders returns the current revision of the mail settings. If this revision differs from the
cached revision, the function also returns the settings. So an e-mail contains all changes of the settings that were
committed before its reminder was claimed.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reminders.models import EmailBranding, Rule, Template
from tenants.context import current_hotel
from tenants.database.functions import JsonRows

#: The maximum number of hotels in the cache of a process. The mail settings of a hotel take about 30 kB.
MAX_CACHED_HOTELS: Final = 1_000

_RULES, _TEMPLATES, _BRANDING = JsonRows(Rule), JsonRows(Template), JsonRows(EmailBranding)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The rules, templates and branding of a hotel. Threads share an instance, so it must not be changed."""

    rules: dict[uuid.UUID, Rule]
    templates: dict[uuid.UUID, list[Template]]  # by rule
    branding: EmailBranding


@dataclass(frozen=True, slots=True)
class CachedMailSettings:
    """The mail settings of a hotel that are cached in this process.

    `revision` identifies the version of the settings that was read from the database.
    """

    revision: str
    settings: MailSettings


_cache: OrderedDict[uuid.UUID | None, CachedMailSettings] = OrderedDict()  # by hotel
_lock = threading.Lock()


def cached() -> CachedMailSettings | None:
    """Return the cached mail settings of the current hotel, or None if they are not cached."""
    return _cache.get(current_hotel().id)


def store(result: Mapping[str, Any]) -> MailSettings:
    """Store the current hotel's mail settings in the cache, and return them.

    `result` is the JSON object that the SQL function `reminders_claim` returned.
    """
    settings = _mail_settings(
        map(_RULES.instance, result["rules"] or ()),
        map(_TEMPLATES.instance, result["templates"] or ()),
        _BRANDING.instance(result["branding"]) if result["branding"] else EmailBranding(),
    )
    hotel_id = current_hotel().id
    with _lock:
        _cache[hotel_id] = CachedMailSettings(result["revision"], settings)
        _cache.move_to_end(hotel_id)
        if len(_cache) > MAX_CACHED_HOTELS:
            _cache.popitem(last=False)
    return settings


def read() -> MailSettings:
    """Read the mail settings of the current hotel from the database, without the cache."""
    return _mail_settings(Rule.objects.all(), Template.objects.all(), EmailBranding.of_current_hotel())


def _mail_settings(
    rules: Iterable[Rule], templates: Iterable[Template], branding: EmailBranding
) -> MailSettings:
    by_rule: dict[uuid.UUID, list[Template]] = defaultdict(list)
    for template in templates:
        by_rule[template.rule_id].append(template)
    return MailSettings({rule.id: rule for rule in rules}, dict(by_rule), branding)
