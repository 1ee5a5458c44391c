"""A project to compare hotelagent with: it uses django-tenants with our apps and tables."""
