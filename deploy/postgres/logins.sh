#!/bin/sh
# Creates the login role of the runtime connection, and the login of the exporter of metrics. The runtime role owns no
# tables. `manage.py migrate` grants its privileges. The exporter can read statistics only.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/runtime-password)" \
    -v monitor="$(cat /run/secrets/monitor-password)" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE hotelagent LOGIN NOINHERIT PASSWORD :'password';
CREATE ROLE monitor LOGIN CONNECTION LIMIT 5 PASSWORD :'monitor';
GRANT pg_monitor TO monitor;
SQL
