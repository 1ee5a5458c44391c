"""The REST API of rooms and holds. The module `urls` also contains the URLs of the waiting list and of webhooks."""
