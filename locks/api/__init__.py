"""The REST API of rooms and holds. `urls` also lists the endpoints of the waiting list and of webhooks."""
