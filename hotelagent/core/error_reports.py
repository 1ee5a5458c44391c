"""Error reports to Sentry, without personal data. They are sent if the setting SENTRY_DSN is set."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hotelagent.core import logs
from hotelagent.core.redaction import redact


def start() -> None:
    """Start error reports if the settings enable them. Call this function once per process."""
    if settings.SENTRY_DSN:
        _start_error_reports(settings.SENTRY_DSN)


def _start_error_reports(dsn: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - takes half a second, and most commands run without it

    try:
        sentry_sdk.utils.Dsn(dsn)
    except sentry_sdk.utils.BadDsn:
        raise ImproperlyConfigured("SENTRY_DSN is not a valid DSN. Example: https://key@host/1.") from None
    sentry_sdk.init(
        dsn=dsn,
        before_send=_prepare_error_report,
        before_breadcrumb=lambda breadcrumb, _hint: redact(breadcrumb),
        send_default_pii=False,
        # Error reports omit local variables, because the variables may contain guests' data and API keys.
        include_local_variables=False,
        max_request_body_size="never",
    )


def _prepare_error_report(event: Any, _hint: Any) -> Any:
    event.setdefault("tags", {}).update(logs.current_context())
    return redact(event)
