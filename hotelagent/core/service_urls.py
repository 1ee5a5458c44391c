"""The parser of server URLs in environment variables, such as DATABASE_URL.

The parser accepts only unambiguous URLs. With an unencoded special character in the password, programs could read
different hosts from the same URL. An error names the variable and explains how to correct it, but never contains a part
of the URL that may belong to a password.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote

_INVALID_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(?P<port>[0-9]*))?")


class InvalidServiceURL(ValueError):
    """The URL of a server is invalid or ambiguous. The message does not contain the password."""


@dataclass(frozen=True, slots=True)
class ServiceURL:
    """The parts of a server URL.

    `user`, `password` and `options` are percent-decoded. `authority` and `path` are as in the URL.
    """

    variable: str
    scheme: str
    user: str
    password: str
    authority: str
    path: str
    query: str

    @property
    def options(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        return {unquote(name): unquote(value) for name, _, value in pairs}

    def addresses(self) -> list[tuple[str, int | None]]:
        """Return a `(host, port)` pair for each host in the URL. IPv6 addresses keep their brackets.

        Raises InvalidServiceURL.
        """
        addresses: list[tuple[str, int | None]] = []
        for address in self.authority.split(","):
            match = _ADDRESS.fullmatch(address)
            if match is None or int(match["port"] or 0) > 65_535:
                raise InvalidServiceURL(
                    f"{self.variable}: the port is not a number, or the host is not valid. If the password contains "
                    "one of / ? # @ : [ ], percent-encode it: %2F %3F %23 %40 %3A %5B %5D."
                )
            addresses.append((unquote(match["host"]), int(match["port"]) if match["port"] else None))
        return addresses

    def with_authority(self, authority: str) -> Self:
        return replace(self, authority=authority)

    def with_option(self, name: str, value: str) -> Self:
        return replace(self, query="&".join(filter(None, [self.query, f"{quote(name)}={quote(value)}"])))

    def __str__(self) -> str:
        """Return the URL with a percent-encoded user name and password, so that all programs parse it alike."""
        login = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{login}{'@' if login else ''}{self.authority}{self.path}{query}"


def parse(text: str, *, variable: str, schemes: Collection[str], example: str) -> ServiceURL:
    """Return the parts of the URL `text`. Raises InvalidServiceURL, which names the environment variable.

    The user name and password end at the first @, as in libpq. Error messages show `example`, a valid URL.
    """
    _refuse_copied_characters(text, variable=variable)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in schemes:
        base = scheme.partition("+")[0]
        if separator and base in schemes:
            raise InvalidServiceURL(f"{variable} begins with {scheme}://. Use {base}:// instead.")
        raise InvalidServiceURL(f"{variable} is not a valid URL. Use {example}.")
    before_slash = rest.partition("/")[0]
    login, at, _ = before_slash.partition("@")
    tail = rest[len(login) + 1 :] if at else rest
    user, _, password = (login if at else "").partition(":")
    if "@" in tail or "#" in tail:
        raise InvalidServiceURL(
            f"{variable}: a character of the user name, password or path has a meaning in URLs. Percent-encode "
            "/ as %2F, @ as %40 and # as %23."
        )
    if _INVALID_ESCAPE.search(rest):
        raise InvalidServiceURL(
            f"{variable} contains a % that two hexadecimal digits do not follow. If it belongs to the password, "
            "write %25."
        )
    if password.startswith("[") and password.endswith("]"):
        raise InvalidServiceURL(
            f"{variable}: the password is in square brackets, as in the template of a provider. Remove the brackets. "
            "If they belong to the password, write %5B and %5D."
        )
    location, _, query = tail.partition("?")
    authority, slash, path = location.partition("/")
    return ServiceURL(
        variable=variable,
        scheme=scheme,
        user=unquote(user),
        password=unquote(password),
        authority=authority,
        path=slash + path,
        query=query,
    )


def _refuse_copied_characters(text: str, *, variable: str) -> None:
    if text != text.strip():
        raise InvalidServiceURL(f"{variable} begins or ends with a space or a line break. Remove it.")
    if text.startswith(("'", '"')):
        raise InvalidServiceURL(f"{variable} begins with a quotation mark. Remove the quotation marks.")
    if any(character.isspace() for character in text):
        raise InvalidServiceURL(f"{variable} contains a space. If it belongs to the password, write %20.")
