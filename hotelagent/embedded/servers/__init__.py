"""The PostgreSQL and Valkey servers for development, and the keeper: the process that starts and stops them."""
