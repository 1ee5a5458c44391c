#!/bin/sh
# Makes the login that serves requests. It owns nothing; `manage.py migrate` gives it what it needs.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$RUNTIME_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE hotelagent LOGIN NOINHERIT PASSWORD :'password';
SQL
