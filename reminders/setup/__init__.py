"""The set-up of a new hotel: the checklist on the start page, the sender of its e-mails and the test e-mail."""
