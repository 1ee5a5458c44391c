#!/bin/sh
# Installs the certificate of a new database server, and refuses connections without TLS from other machines.
# PostgreSQL accepts only a key that nobody else can read, so the key is copied.
set -eu
umask 077
cp /run/secrets/postgres-certificate "$PGDATA/server.crt"
cp /run/secrets/postgres-key "$PGDATA/server.key"
chmod 0600 "$PGDATA/server.key"
echo 'ssl = on' >> "$PGDATA/postgresql.conf"
sed -i 's/^host all all all /hostssl all all all /' "$PGDATA/pg_hba.conf"
grep -q '^hostssl all all all ' "$PGDATA/pg_hba.conf"
