#!/usr/bin/env bash
# Creates the database roles. The image runs this once, when the data folder is empty.
#
# odt_owner runs migrations and owns the tables. The service connects as odt_service, which owns nothing,
# so row-level security applies to it. Its privileges come from odt_app, which the migrations grant to.
# Passwords are read from files, so they do not appear in process lists.
set -euo pipefail

export ODT_OWNER_PASSWORD_FILE=${ODT_OWNER_PASSWORD_FILE:-/run/secrets/owner_password}
export ODT_SERVICE_PASSWORD_FILE=${ODT_SERVICE_PASSWORD_FILE:-/run/secrets/service_password}
# Checked before psql starts: a failing \set would leave the role with an empty password.
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

-- The owner of the database also owns its schema "public"; no other role may create objects in it.
alter database :"database" owner to odt_owner;
revoke all on database :"database" from public;
grant connect on database :"database" to odt_app;
SQL
