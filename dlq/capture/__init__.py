"""How Celery messages enter the queue: failed tasks, and messages that no worker can run."""
