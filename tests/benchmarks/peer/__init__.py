"""django-tenants with our apps and our tables, for side-by-side measuring."""
