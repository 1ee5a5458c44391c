"""The languages that forms offer, each with the name that its speakers use."""

import functools

from django.conf.locale import LANG_INFO
from django.utils.text import capfirst

#: The names that speakers use of languages for which Django's list has only the English name.
_OWN_NAMES = {"eu": "Euskara", "kn": "ಕನ್ನಡ", "mn": "Монгол", "pa": "ਪੰਜਾਬੀ"}


@functools.cache
def language_choices() -> tuple[tuple[str, str], ...]:
    """Return the code and the name of each language, sorted by name."""
    names = {
        code: str(capfirst(_OWN_NAMES.get(code, info["name_local"])))
        for code, info in LANG_INFO.items()
        if "name_local" in info
    }
    return tuple(sorted(names.items(), key=lambda choice: choice[1].casefold()))


def language_name(code: str) -> str:
    """Return the name of the language in that language: "Español" for "es".

    The name of a regional variant that is not in the list contains the code: "Español (es-pe)". A code whose language
    is not in the list either is returned unchanged.
    """
    names = dict(language_choices())
    if code in names:
        return names[code]
    name = names.get(code.partition("-")[0])
    return f"{name} ({code})" if name else code
