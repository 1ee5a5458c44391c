"""URL patterns below `/api/v1/` for reservations, reminders and calendars."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from reminders.api.bulk import BulkReservationsView
from reminders.api.calendar_feed import CalendarFeedView
from reminders.api.calendar_import import ImportCalendarView
from reminders.api.imports import ImportViewSet
from reminders.api.linked_calendars import LinkedCalendarViewSet
from reminders.api.reminders import ReminderViewSet
from reminders.api.reservations import ReservationByNumberView, ReservationViewSet

router = SimpleRouter()
router.register("reservations", ReservationViewSet, basename="reservation")
router.register("reminders", ReminderViewSet, basename="reminder")
router.register("imports", ImportViewSet, basename="import")
router.register("calendars", LinkedCalendarViewSet, basename="calendar")
urlpatterns = [
    path("reservations.ics", CalendarFeedView.as_view()),
    path("reservations/bulk/", BulkReservationsView.as_view()),
    path("reservations/import-calendar/", ImportCalendarView.as_view()),
    path("reservations/by-external-id/<path:external_id>/", ReservationByNumberView.as_view()),
    *router.urls,
]
