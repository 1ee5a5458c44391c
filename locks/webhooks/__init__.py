"""Webhooks: signed HTTP requests that notify a hotel's other systems of changes to holds and stays."""
