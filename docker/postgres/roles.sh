#!/usr/bin/env bash
# Makes the roles of the database, once, while its folder is still empty.
#
# odt_owner migrates and owns the tables. odt_service is who the service connects as: it owns nothing,
# so row-level security holds for it, and what it may do comes from odt_app, to which the migrations
# grant. Passwords are read from files and appear in no argument list.
set -euo pipefail

export ODT_OWNER_PASSWORD_FILE=${ODT_OWNER_PASSWORD_FILE:-/run/secrets/owner_password}
export ODT_SERVICE_PASSWORD_FILE=${ODT_SERVICE_PASSWORD_FILE:-/run/secrets/service_password}
# Said before psql starts: a failing \set would leave the role an empty password.
[ -s "$ODT_OWNER_PASSWORD_FILE" ] && [ -s "$ODT_SERVICE_PASSWORD_FILE" ] || {
    echo "No password file for odt_owner or odt_service. Run docker/make-secrets first." >&2
    exit 1
}

psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set owner_password `cat "$ODT_OWNER_PASSWORD_FILE"`
\set service_password `cat "$ODT_SERVICE_PASSWORD_FILE"`
\set database `printf %s "$POSTGRES_DB"`

create role odt_app nologin;
create role odt_owner login password :'owner_password';
create role odt_service login password :'service_password' in role odt_app;

-- The owner of the database owns its schema "public" too, and nobody else may create there.
alter database :"database" owner to odt_owner;
revoke all on database :"database" from public;
grant connect on database :"database" to odt_app;
SQL
