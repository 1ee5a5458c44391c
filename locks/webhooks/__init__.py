"""Webhooks: signed HTTP requests that tell other systems of a hotel about changes of holds and stays."""
