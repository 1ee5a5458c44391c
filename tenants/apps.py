from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("hotels")

    def ready(self) -> None:
        from tenants.checks import configuration, database  # noqa: F401, PLC0415 - they register themselves
