DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S"]  # the first is how a form shows it
