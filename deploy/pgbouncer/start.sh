#!/bin/sh
# Starts PgBouncer with the runtime login role and the login of the exporter in its user list. The file format of the user
# list requires that quotation marks in a password are doubled.
set -eu
umask 077
printf '"%s" "%s"\n' \
    hotelagent "$(sed 's/"/""/g' /run/secrets/runtime-password)" \
    monitor "$(sed 's/"/""/g' /run/secrets/monitor-password)" >/run/pgbouncer/userlist.txt
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
