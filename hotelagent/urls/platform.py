"""URLs of the platform's host: the admin and the API for operators of all hotels."""

from django.urls import include, path

from hotelagent.admin.sites import platform_site
from hotelagent.overview.pages import hotel_figures
from hotelagent.pages import favicon, landing

handler500 = "hotelagent.pages.server_error"
urlpatterns = [
    path("", landing, name="landing"),
    path("favicon.ico", favicon),
    path("admin/figures/", platform_site.admin_view(hotel_figures), name="hotel_figures"),
    path("admin/", platform_site.urls),
    path("api/v1/", include("audit.api")),
    path("api/v1/", include("dlq.api")),
    path("api/v1/", include("dlq.groups.api")),
    path("api/v1/", include("dlq.redrives.api")),
    path("api/v1/", include("dlq.exports.api")),
    path("api/v1/", include("dlq.retention.api")),
    path("api/v1/", include("tenants.api.urls")),
    path("", include("reminders.api.provider_webhooks")),
    path("", include("hotelagent.rest.urls")),
]
