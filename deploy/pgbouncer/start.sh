#!/bin/sh
# Writes the one login that may come in, then becomes PgBouncer. A quote in a password is doubled, as it wants.
set -eu
umask 077
printf '"hotelagent" "%s"\n' "$(printf %s "$RUNTIME_PASSWORD" | sed 's/"/""/g')" > /run/pgbouncer/userlist.txt
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
