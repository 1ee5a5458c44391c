DATE_FORMAT = "j b Y"
MONTH_DAY_FORMAT = "j b"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j b Y, H:i"
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S"]  # form fields show times in the first format
