"""A Django project that hotelagent is compared with: the same apps and tables, but with django-tenants."""
