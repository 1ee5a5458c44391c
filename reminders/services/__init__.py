"""Services that staff, API clients and mail providers' events use. Each service uses one transaction."""
