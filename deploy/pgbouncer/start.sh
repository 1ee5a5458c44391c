#!/bin/sh
# Starts PgBouncer with the runtime login role in its user list. The file format of the user list requires that quotation
# marks in the password are doubled.
set -eu
umask 077
printf '"hotelagent" "%s"\n' "$(sed 's/"/""/g' /run/secrets/runtime-password)" > /run/pgbouncer/userlist.txt
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
