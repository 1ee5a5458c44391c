"""A project that uses django-tenants with our apps and tables, for comparisons."""
