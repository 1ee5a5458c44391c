"""Hotels as tenants: their data, their isolation in the database, their life, and access to them."""
