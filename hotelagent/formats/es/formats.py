DATE_FORMAT = "j b Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j b Y, H:i"
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S"]  # forms show the first one
