"""The examination of the mail server, and of the DNS records that receivers of e-mails check."""

import smtplib
from collections.abc import Iterator
from email.utils import parseaddr

import dns.exception
import dns.resolver
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend

from hotelagent.core.domains import ascii_domain
from hotelagent.monitoring.doctor.findings import Finding, ok, problem, warning

_TIMEOUT_SECONDS = 5


def examine_mail_server() -> Iterator[Finding]:
    """Log in to the mail server, without sending an e-mail."""
    mail = get_connection(timeout=_TIMEOUT_SECONDS)
    if not isinstance(mail, EmailBackend):
        backend = settings.EMAIL_BACKEND.rpartition("backends.")[2].partition(".")[0]
        yield ok("mail-server", f"E-mails are sent by {backend}, which has no test without sending.")
        return
    server = f"{mail.host}:{mail.port}"
    remedy = "Check EMAIL_URL, and that this machine may connect to the port."
    try:
        mail.open()
    except smtplib.SMTPAuthenticationError as error:
        yield problem(
            "mail-server",
            f"{server} refused the user name or the password (status {error.smtp_code}).",
            "Correct the user name and the password in EMAIL_URL.",
        )
    except (OSError, smtplib.SMTPException) as error:
        yield problem("mail-server", f"{server} does not accept connections: {error}", remedy)
    else:
        login = "logged in" if mail.username else "no login is configured"
        yield ok("mail-server", f"{server} accepts e-mails ({login}).")
    finally:
        mail.close()


def examine_sender_domain() -> Iterator[Finding]:
    """Look up the SPF, DMARC and DKIM records of the domain in DEFAULT_FROM_EMAIL.

    Sources: RFC 7208 (SPF), RFC 7489 (DMARC), RFC 6376 (DKIM).
    """
    domain = ascii_domain(parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2])
    if not domain or domain == "localhost" or domain.endswith((".localhost", ".example", ".test")):
        yield warning(
            "sender-domain",
            f"{domain or 'The sender'} is not a public domain, so receivers refuse its e-mails.",
            "Set DEFAULT_FROM_EMAIL to an address of a domain that you own.",
        )
        return
    records = {"SPF": (domain, "v=spf1"), "DMARC": (f"_dmarc.{domain}", "v=DMARC1")}
    for selector in settings.DKIM_SELECTORS:
        records[f"DKIM ({selector})"] = (f"{selector}._domainkey.{domain}", "p=")
    missing = []
    for name, (host, content) in records.items():
        try:
            texts = read_txt_records(host)
        except dns.exception.DNSException as error:
            yield warning(
                "sender-domain",
                f"The {name} record of {domain} cannot be looked up: {error}",
                "Check the DNS servers of this machine.",
            )
            return
        if not any(content in text for text in texts):
            missing.append(f"{name} (TXT record of {host})")
    if missing:
        yield warning(
            "sender-domain",
            f"Missing: {', '.join(missing)}. Receivers may treat e-mails as spam.",
            "Add the records that your mail provider shows to the DNS zone of the domain.",
        )
    else:
        yield ok("sender-domain", f"{domain} has {', '.join(records)}.")
    if not settings.DKIM_SELECTORS:
        yield warning(
            "sender-domain",
            "DKIM was not looked up, because the selector of the key is not known.",
            "Set DKIM_SELECTORS to the selectors that your mail provider shows, such as mail or s1,s2.",
        )


def read_txt_records(host: str) -> list[str]:
    """Return the TXT records of a host name. A host name without such records has an empty list.

    Raises dns.exception.DNSException if no DNS server responds.
    """
    try:
        answer = dns.resolver.resolve(host, "TXT", lifetime=_TIMEOUT_SECONDS)
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return []
    return [b"".join(record.strings).decode(errors="replace") for record in answer]
