#!/bin/sh
# Run once, by the image, when the cluster is made: the two roles of the site, one for backups, and the database.
set -eu

psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v owner="$TOUCHSTONE_OWNER_PASSWORD" -v app="$TOUCHSTONE_APP_PASSWORD" -v backup="$TOUCHSTONE_BACKUP_PASSWORD" <<'SQL'
CREATE ROLE touchstone_owner LOGIN CREATEROLE PASSWORD :'owner';
CREATE ROLE touchstone_app LOGIN PASSWORD :'app';
-- What the site asks for in each session of its own; behind a pool in transaction mode the role has to say it.
ALTER ROLE touchstone_app SET synchronous_commit = on;
ALTER ROLE touchstone_app SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE touchstone_app SET statement_timeout = '60s';
ALTER ROLE touchstone_app SET timezone = 'UTC';
CREATE ROLE touchstone_backup LOGIN REPLICATION PASSWORD :'backup';
CREATE DATABASE touchstone OWNER touchstone_owner TEMPLATE template0
    ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
SQL

# The image lets roles in by password, but not to replication, which a base backup is.
printf 'host replication touchstone_backup all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
