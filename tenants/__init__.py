"""Hotels as tenants: their models, their isolation in the database, their lifecycle, and access control."""
