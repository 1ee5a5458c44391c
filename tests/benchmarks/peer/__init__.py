"""A Django project that hotelagent is compared with. It uses the same apps and tables with django-tenants."""
