"""Settings: `base` says what all deployments share; `development` and `production` say what differs."""
