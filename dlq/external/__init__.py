"""Other systems that report failures to the dead-letter queue, and that process them again over REST."""
