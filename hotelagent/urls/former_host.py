"""URLs that still work on a hotel's former host after the slug or the domain of the hotel was changed.

E-mail clients do not follow redirects when they send the one-click unsubscribe request (RFC 8058), and booking channels
store the URL of the calendar feed.
"""

from django.urls import include, path

from reminders.api.calendar_feed import CalendarFeedView

handler500 = "hotelagent.pages.server_error"
urlpatterns = [
    path("", include("reminders.guest_pages")),
    path("api/v1/reservations.ics", CalendarFeedView.as_view()),
]
