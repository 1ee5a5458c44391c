"""A plain Django project that hotelagent's holds are compared with.

The project implements holds with the Django ORM, an exclusion constraint, and django-auditlog.
"""
