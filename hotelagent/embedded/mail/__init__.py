"""The mail server of development, which keeps all e-mails instead of delivering them."""
