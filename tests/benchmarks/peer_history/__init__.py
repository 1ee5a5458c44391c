"""A plain Django project with staff accounts whose changes django-pghistory records, for a benchmark."""
