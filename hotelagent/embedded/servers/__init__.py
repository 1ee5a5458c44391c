"""The PostgreSQL and Valkey servers for development, and the process that starts and stops the servers (the keeper)."""
