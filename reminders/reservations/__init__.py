"""Services that store and change reservations."""
