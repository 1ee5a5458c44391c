#!/bin/sh
# Creates a TLS certificate for a new database server, because production requires TLS to other machines.
set -eu
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj /CN=postgres -addext subjectAltName=DNS:postgres -keyout "$PGDATA/server.key" -out "$PGDATA/server.crt"
echo 'ssl = on' >> "$PGDATA/postgresql.conf"
