"""Services for staff, API clients and the events of mail providers. Each service call is one transaction."""
