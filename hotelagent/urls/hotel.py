"""URLs of hotels' hosts. A host is `<slug>.<platform host>` or the hotel's own domain."""

from django.urls import include, path

from hotelagent.admin.sites import hotel_site
from hotelagent.pages import favicon, landing
from tenants.admin import invitations

handler500 = "hotelagent.pages.server_error"
urlpatterns = [
    path("", landing, name="landing"),
    path("favicon.ico", favicon),
    path("admin/invitation/", invitations.accept, name="invitation"),
    path("admin/support/", include("tenants.admin.support")),
    path("admin/", hotel_site.urls),
    path("api/v1/", include("audit.api")),
    path("api/v1/", include("dlq.api")),
    path("api/v1/", include("dlq.groups.api")),
    path("api/v1/", include("dlq.redrives.api")),
    path("api/v1/", include("dlq.exports.api")),
    path("api/v1/", include("dlq.retention.api")),
    path("api/v1/", include("locks.api.urls")),
    path("api/v1/", include("reminders.api.urls")),
    path("api/v1/", include("hotelagent.usage.api")),
    path("api/v1/", include("hotelagent.pms.api.urls")),
    path("", include("reminders.guest_pages")),
    path("", include("hotelagent.rest.urls")),
]
