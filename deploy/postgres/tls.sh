#!/bin/sh
# Gives a new database a certificate of its own: production speaks TLS with every database off its own machine.
set -eu
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj /CN=postgres -addext subjectAltName=DNS:postgres -keyout "$PGDATA/server.key" -out "$PGDATA/server.crt"
echo 'ssl = on' >> "$PGDATA/postgresql.conf"
