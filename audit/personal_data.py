"""The declaration of the audit trail's personal data for masked backups (copies without personal data).

Masked backups contain no audit events, because events without the names of the staff would be worthless as evidence.
"""

from tenants.personal_data import declare_columns, omit_rows

omit_rows("audit_event", "audit_search_term")
# The filters of a saved search may contain the name of a guest.
omit_rows("audit_savedsearch")
# The auditor's address is removed, so that a masked copy of a hotel sends no e-mails to the auditor.
declare_columns("audit_auditor", masked={"email": lambda _column: "''"}, kept=("language",))
