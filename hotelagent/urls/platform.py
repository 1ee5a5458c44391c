"""URLs of the platform's host: the admin and the API for operators of all hotels."""

from django.urls import include, path

from hotelagent.admin.sites import platform_site
from hotelagent.overview.pages import hotel_figures, worker_list
from hotelagent.pages import favicon, landing
from hotelagent.usage.pages import usage_list, usage_of_hotel

handler500 = "hotelagent.pages.server_error"
urlpatterns = [
    path("", landing, name="landing"),
    path("favicon.ico", favicon),
    path("admin/figures/", platform_site.admin_view(hotel_figures), name="hotel_figures"),
    path("admin/usage/", platform_site.admin_view(usage_list), name="hotel_usage_list"),
    path("admin/usage/<uuid:hotel_id>/", platform_site.admin_view(usage_of_hotel), name="hotel_usage"),
    path("admin/workers/", platform_site.admin_view(worker_list), name="worker_list"),
    path("admin/", platform_site.urls),
    path("api/v1/", include("audit.api")),
    path("api/v1/", include("dlq.api")),
    path("api/v1/", include("dlq.groups.api")),
    path("api/v1/", include("dlq.redrives.api")),
    path("api/v1/", include("dlq.exports.api")),
    path("api/v1/", include("dlq.retention.api")),
    path("api/v1/", include("tenants.api.urls")),
    path("api/v1/", include("hotelagent.usage.platform_api")),
    path("", include("reminders.api.provider_webhooks")),
    path("", include("hotelagent.rest.urls")),
]
