#!/bin/sh
# Creates the files of deploy/secrets that compose.yml mounts: random passwords, URLs with these passwords, and the
# certificates of PostgreSQL and PgBouncer, from an authority that only this deployment trusts.
#   EMAIL_URL='smtp+tls://user:password@smtp.example:587' deploy/create-secrets.sh hotels.example
# Files that exist are kept. To replace a secret, delete its file and the files that contain it, and run this again.
# If deploy/tls has no certificate of the public hosts, one for a trial is created, which browsers do not trust.
set -eu
host=${1:?Usage: EMAIL_URL=... create-secrets.sh PLATFORM_HOST}
cd "$(dirname "$0")"
umask 077
mkdir -p secrets tls
cd secrets

# Writes the standard input to the file, unless the file exists. The processes in the containers have other users, so
# the file can be read by everyone who can open the folder: on this machine, only by its owner.
keep_or_write() {
    if [ -e "$1" ]; then cat >/dev/null; return; fi
    cat >"$1.new"
    chmod 0444 "$1.new"
    mv "$1.new" "$1"
    echo "Created deploy/secrets/$1"
}
random() { openssl rand -hex 32; }
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256; }

random | keep_or_write secret-key
random | keep_or_write metrics-token
random | keep_or_write postgres-password
random | keep_or_write runtime-password
random | keep_or_write monitor-password
random | keep_or_write grafana-password
echo "operator:$(random)" | keep_or_write flower-login
echo "requirepass $(random)" | keep_or_write valkey-conf
printf '%s\n' "${ALERT_MAIL_PASSWORD:-}" | keep_or_write alert-mail-password
[ -e email-url ] || printf '%s\n' "${EMAIL_URL:?Set EMAIL_URL to the mail server, as deploy/runbook.md describes}" | keep_or_write email-url

tls='sslmode=verify-full&sslrootcert=/run/secrets/internal-ca'
echo "postgres://hotelagent:$(cat runtime-password)@pgbouncer:6432/hotelagent?$tls" | keep_or_write database-url
echo "postgres://owner:$(cat postgres-password)@postgres:5432/hotelagent?$tls" | keep_or_write database-direct-url
echo "redis://:$(sed -n 's/^requirepass //p' valkey-conf)@valkey:6379/0" | keep_or_write redis-url
echo "postgres://monitor:$(cat monitor-password)@pgbouncer:6432/pgbouncer?$tls" | keep_or_write pgbouncer-monitor-url
echo "{\"redis://valkey:6379\": \"$(sed -n 's/^requirepass //p' valkey-conf)\"}" | keep_or_write valkey-exporter-passwords

# No container gets the key of the authority.
new_key | keep_or_write internal-ca-key
[ -e internal-ca ] || openssl req -x509 -new -key internal-ca-key -days 3650 -subj '/CN=hotelagent internal' | keep_or_write internal-ca
certificate() { # key file, common name, alternative names
    openssl req -x509 -new -key "$1" -CA internal-ca -CAkey internal-ca-key -days 3650 -subj "/CN=$2" \
        -addext "subjectAltName=$3" -addext basicConstraints=critical,CA:FALSE
}
for server in postgres pgbouncer; do
    new_key | keep_or_write $server-key
    [ -e $server-certificate ] || certificate $server-key $server "DNS:$server,IP:127.0.0.1" | keep_or_write $server-certificate
done

cd ../tls
if [ ! -e fullchain.pem ]; then
    new_key >privkey.pem
    (cd ../secrets && certificate ../tls/privkey.pem "$host" "DNS:$host,DNS:*.$host") >fullchain.pem
    echo "Created deploy/tls/fullchain.pem for a trial. Replace it and privkey.pem by a certificate that browsers trust."
fi
