"""Who did what, when, and from where: a trail that can be added to and never rewritten."""
