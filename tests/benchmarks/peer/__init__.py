"""A Django project that hotelagent is compared with. It has the same apps and tables, and uses django-tenants."""
