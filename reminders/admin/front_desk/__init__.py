"""The admin pages with which the front desk creates reservations, checks guests in and out, and changes rooms."""
