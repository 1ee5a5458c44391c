"""The trail in a masked copy: none. A trail with changed rows would be no trail, and who did what tells of people."""

from tenants.personal_data import omit_rows

omit_rows("audit_event")
