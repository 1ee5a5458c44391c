"""The capture of failed Celery tasks, and of Celery messages that no worker can run."""
