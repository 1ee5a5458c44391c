"""The time zones that a hotel may have.

The time zones come from the pinned package `tzdata`, because every process of a deployment must know the same time
zones.
"""

import functools
import zoneinfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

#: Time zone names that hotels may not use. `localtime` and `posixrules` differ between machines. `Factory` means "not
#: set".
PSEUDO_ZONES = frozenset({"Factory", "localtime", "posixrules"})


def use_pinned_time_zones() -> None:
    """Make `zoneinfo` use only the package `tzdata`. Call this function before another module lists the time zones."""
    zoneinfo.reset_tzpath(to=())


@functools.cache
def known_time_zones() -> frozenset[str]:
    """Return the names of the time zones that a hotel may have."""
    return frozenset(zoneinfo.available_timezones() - PSEUDO_ZONES)


def time_zone_choices() -> list[tuple[str, str]]:
    """Return the `(name, label)` pairs of all time zones as the choices of a form field, sorted by name."""
    return [(name, name.replace("_", " ")) for name in sorted(known_time_zones())]


def validate_time_zone(name: str) -> None:
    """Raise ValidationError if `name` is not a time zone that a hotel may have."""
    if name not in known_time_zones():
        raise ValidationError(
            _("%(time_zone)s is not a known IANA time zone. Use a name such as Europe/Madrid."),
            code="invalid_time_zone",
            params={"time_zone": name},
        )
