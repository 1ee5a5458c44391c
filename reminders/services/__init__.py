"""Services for staff, API clients and provider events. Each changes its data in one transaction."""
