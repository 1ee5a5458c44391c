"""A mail server for development. It keeps all e-mails instead of delivering them."""
