"""URLs of a host that a hotel used before its slug or domains changed. They serve links that other systems still use.

E-mail clients send the one-click unsubscribe request (RFC 8058) and do not follow redirects, and booking channels store
the URL of the calendar feed. So the old host serves these pages itself.
"""

from django.urls import include, path

from reminders.api.calendar_feed import CalendarFeedView

handler500 = "hotelagent.pages.server_error"
urlpatterns = [
    path("", include("reminders.guest_pages")),
    path("api/v1/reservations.ics", CalendarFeedView.as_view()),
]
