#!/bin/sh
# Creates the login role of the runtime connection. It owns no tables. `manage.py migrate` grants its privileges.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/runtime-password)" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE hotelagent LOGIN NOINHERIT PASSWORD :'password';
SQL
