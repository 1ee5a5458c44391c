"""Django's settings. `base` contains the common settings. `development` and `production` copy and change them."""
