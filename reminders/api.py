"""The REST door to reservations and reminders."""

urlpatterns: list[object] = []
