"""Holds as a Django developer would write them: models, an exclusion constraint, and django-auditlog."""
