"""Django's settings. `base` has what all environments share; `development` and `production` start with a copy of it."""
