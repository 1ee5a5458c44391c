#!/bin/sh
# Starts PgBouncer with the runtime login role in its user list. Creates a certificate unless one is mounted.
# The file format of the user list requires that quotation marks in the password are doubled.
set -eu
umask 077
printf '"hotelagent" "%s"\n' "$(printf %s "$RUNTIME_PASSWORD" | sed 's/"/""/g')" > /run/pgbouncer/userlist.txt
[ -e /run/pgbouncer/tls.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj /CN=pgbouncer -addext subjectAltName=DNS:pgbouncer -keyout /run/pgbouncer/tls.key -out /run/pgbouncer/tls.pem
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
