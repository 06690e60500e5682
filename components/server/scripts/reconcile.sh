#!/bin/bash
# Keeps the running server as the Secrets and the ConfigMap say: the logins with their passwords, attributes and
# settings, the database, and the settings that a reload brings into force. Runs next to the server, over its socket, as
# the operating system's user that pg_ident maps to `postgres`.
# Mounted: /etc/credentials/owner, /etc/credentials/superuser and, if it exists, /etc/credentials/logins (Secrets),
# /etc/postgresql (ConfigMap), /run/reconcile (memory), and the files that WATCHED names.
# Run by keep-running.sh, which restarts it when it ends or hangs: every statement here has a time limit.
set -uo pipefail

state=/run/reconcile
SUPERUSER_SOCKET=/var/run/postgresql
here=${BASH_SOURCE%/*}
say() { echo "reconcile: $*"; }

# shellcheck source=components/kubernetes/scripts/clock.sh
. "$here/clock.sh"
# shellcheck source=components/server/scripts/superuser.sh
. "$here/superuser.sh"
# shellcheck source=components/server/scripts/reconcile-sessions.sh
. "$here/reconcile-sessions.sh"
# shellcheck source=components/server/scripts/reconcile-logins.sh
. "$here/reconcile-logins.sh"
# shellcheck source=components/server/scripts/reconcile-configuration.sh
. "$here/reconcile-configuration.sh"
# shellcheck source=components/server/scripts/read-back.sh
. "$here/read-back.sh"
# shellcheck source=components/server/scripts/reconcile-heartbeat.sh
. "$here/reconcile-heartbeat.sh"
# shellcheck source=components/server/scripts/reconcile-description.sh
. "$here/reconcile-description.sh"
# shellcheck source=components/server/scripts/reconcile-figures.sh
. "$here/reconcile-figures.sh"

# No statement takes long, and none waits long for a role or a database that another session has locked. No part of a
# password may reach the server's log or the statistics.
options="-c statement_timeout=10s -c lock_timeout=2s -c log_statement=none -c log_min_duration_statement=-1"
options+=" -c log_min_error_statement=panic -c pg_stat_statements.track=none"

# administer <psql's arguments>: a superuser's session, 30 s at most, in the database `postgres` unless told otherwise.
superuser_time=30
administer() {
  touch "$state/heartbeat"
  superuser reconcile "$options" -d postgres "$@"
}

# said <topic> <text>: says something about a topic once, until it changes. An empty text is not printed.
declare -A already
said() {
  [ "${already[$1]:-}" = "$2" ] && return
  already[$1]=$2
  [ -z "$2" ] || say "$2"
}

# configuration_version: changes whenever the server has to load its files again. A ConfigMap volume changes by
# switching one symbolic link. WATCHED names the files that capabilities have added, separated by spaces.
configuration_version() {
  readlink /etc/postgresql/..data
  # shellcheck disable=SC2086 # several words
  [ -z "${WATCHED:-}" ] || cat -- $WATCHED 2>/dev/null | cksum
}

# accepts: whether the server takes connections. Over TCP, where asking needs no session.
accepts() { pg_isready -q -h 127.0.0.1 -U nobody -t 3; }

# logs_in <role> <password> <database>: whether the password is the one in the database, over TCP as clients connect.
logs_in() {
  local escaped=${2//\\/\\\\} own=() first=()
  touch "$state/heartbeat"
  (
    umask 077
    printf '*:*:*:*:%s\n' "${escaped//:/\\:}" >"$state/pgpass"
  )
  # The superuser's session is protected like all of its sessions.
  [ "$1" != postgres ] || own=(PGOPTIONS="$superuser_options") first=(-f "$here/superuser-session.sql")
  env PGAPPNAME=transcript-pipeline/login "${own[@]}" PGPASSFILE="$state/pgpass" PGCONNECT_TIMEOUT=5 \
    timeout 20 psql -X -q -w -h 127.0.0.1 -U "$1" -d "$3" "${first[@]}" -c '' >/dev/null 2>"$state/login"
  local status=$?
  rm -f "$state/pgpass"
  return $status
}

# set_password <role> <password>: psql computes the SCRAM verifier, so that the server never sees the password.
# Without a terminal \password reads it from standard input, twice.
set_password() {
  printf '%s\n%s\n' "$2" "$2" | administer -c "\\password \"$1\"" >/dev/null 2>"$state/errors" || {
    say "the password of $1 could not be set: $(grep -v '^Enter' "$state/errors")"
    return 1
  }
}

# ensure_password <role> <password> <database>
ensure_password() {
  logs_in "$@" && return
  if grep -q -e 'too many' -e 'remaining connection slots' -e 'the database system is' "$state/login"; then
    said "password of $1" "the password of $1 could not be tried: $(tail -n 1 "$state/login")"
    return 1
  fi
  set_password "$1" "$2" || return 1
  logs_in "$@" || {
    said "password of $1" "the password of $1 was set but does not log in: $(tail -n 1 "$state/login")"
    return 1
  }
  already["password of $1"]=
  say "the password of $1 is now the one in its Secret"
}

# refusal_of_password <password>: why it cannot be a password, or nothing.
refusal_of_password() {
  if [ -z "$1" ]; then
    echo "is empty"
  elif [[ $1 == *[[:cntrl:]]* ]]; then
    echo "holds a line break or another control character"
  fi
}

# refusal_of_owner <owner> <database>: why the Secret's names are not those of an application and its database.
refusal_of_owner() {
  if [[ ! $1 =~ ^[a-z_][a-z0-9_]{0,62}$ || $1 =~ ^(pg_|transcripts_) || $1 =~ ^(postgres|public|none)$ ]]; then
    echo "POSTGRES_USER is '$1', which cannot be the owner. Allowed: lower-case letters, digits and '_', not postgres, public or none, not beginning with pg_ or transcripts_"
  elif [[ ! $2 =~ ^[a-z_][a-z0-9_]{0,62}$ || $2 =~ ^(postgres|template0|template1)$ ]]; then
    echo "POSTGRES_DB is '$2', which cannot be the database. Allowed: lower-case letters, digits and '_', not postgres, template0 or template1"
  else
    administer -At -v owner="$1" -v database="$2" -v mark="$mark" -f "$here/names.sql" -f - 2>"$state/errors" <<'SQL' ||
select 'POSTGRES_USER is ''' || rolname || ''', which is '
       || case when rolsuper then 'a superuser' else 'a login of postgres-logins' end
       || '. Set it back to the owner of the database'
  from pg_roles
 where rolname = :'owner' and (rolsuper or shobj_description(oid, 'pg_authid') = :'mark');
SQL
      {
        echo "could not be compared with the server: $(tail -n 1 "$state/errors")"
      }
  fi
}

ensure_login_and_database() {
  administer -v owner="$1" -v database="$2" -f - >/dev/null 2>"$state/errors" <<'SQL' ||
select format('create role %I', :'owner') where not exists (select from pg_roles where rolname = :'owner') \gexec
select format('alter role %I login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls valid until ''infinity''', rolname)
  from pg_roles where rolname = :'owner'
   and (not rolcanlogin or not rolinherit or rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls
        or rolvaliduntil < 'infinity') \gexec
select format('create database %I owner %I template template0 encoding ''UTF8'' locale ''C.UTF-8''', :'database', :'owner')
 where not exists (select from pg_database where datname = :'database') \gexec
select format('alter database %I owner to %I', :'database', :'owner')
  from pg_database where datname = :'database' and datdba <> :'owner'::regrole \gexec
select format('alter database %I with allow_connections true connection limit -1', datname)
  from pg_database where datname = :'database' and (not datallowconn or datconnlimit <> -1) \gexec
SQL
    {
      said "owner" "the owner $1 and the database $2 could not be changed to what the Secret says: $(tail -n 1 "$state/errors")"
      return 1
    }
}

# apply: the superuser, the owner and the database, as the Secrets say. An invalid Secret changes nothing, and is
# reported once.
apply() {
  local owner database password superuser_password refusal
  owner=$(cat /etc/credentials/owner/POSTGRES_USER) && database=$(cat /etc/credentials/owner/POSTGRES_DB) &&
    password=$(cat /etc/credentials/owner/POSTGRES_PASSWORD) &&
    superuser_password=$(cat /etc/credentials/superuser/POSTGRES_PASSWORD) || return 1
  refusal=$(refusal_of_password "$superuser_password")
  [ -z "$refusal" ] || refusal="Secret postgres-superuser: POSTGRES_PASSWORD $refusal"
  if [ -z "$refusal" ]; then
    refusal=$(refusal_of_password "$password")
    if [ -n "$refusal" ]; then refusal="POSTGRES_PASSWORD $refusal"; else refusal=$(refusal_of_owner "$owner" "$database"); fi
    [ -z "$refusal" ] || refusal="Secret postgres-secret: $refusal"
  fi
  printf '%s' "$refusal" >"$state/refused-credentials"
  said refusal "${refusal:+REFUSED: $refusal. Nothing was changed; deploy again, or correct the Secret}"
  [ -z "$refusal" ] || return 2

  protect_superuser &&
    ensure_password postgres "$superuser_password" postgres &&
    ensure_login_and_database "$owner" "$database" &&
    ensure_database_settings "$database" &&
    ensure_session_settings "$owner" owner &&
    ensure_password "$owner" "$password" "$database"
}

# notice <database>: reports what the image has and the database has not followed. Following is done on purpose, by the
# Job of docs/upgrades.md.
notice() {
  superuser notice "$options" -d "$1" -At -f - <<'SQL' | while read -r line; do say "$line. See docs/upgrades.md"; done
select format('extension %s of %s is at %s, and the image has %s', e.extname, current_database(), e.extversion, a.default_version)
  from pg_extension e join pg_available_extensions a on a.name = e.extname
 where a.default_version <> e.extversion;
select format('collation %s of %s was sorted by version %s, and the image sorts by %s', c.collname, current_database(), c.collversion, pg_collation_actual_version(c.oid))
  from pg_collation c
 where c.collversion <> pg_collation_actual_version(c.oid)
   and exists (select from pg_depend d where d.refclassid = 'pg_collation'::regclass and d.refobjid = c.oid);
select format('database %s was sorted by version %s, and the image sorts by %s', datname, datcollversion, pg_database_collation_actual_version(oid))
  from pg_database where datname = current_database() and datcollversion <> pg_database_collation_actual_version(oid);
SQL
}

# Seconds between two checks of the server's real state, and before something that failed is tried again.
look=5
again=10

applied=
begun=
noticed=
tried=
retry=0
found=
looked=0
loaded=
while true; do
  touch "$state/heartbeat"
  tick
  # The socket's lock file names the postmaster and its start: a new server is a reason to check.
  if wanted=$(cat "$SUPERUSER_SOCKET/.s.PGSQL.5432.lock" /etc/postgresql/sessions.conf /etc/credentials/{owner,superuser}/* 2>/dev/null | cksum) &&
    accepts; then
    if [ -n "$applied" ] && [ "$elapsed" -ge "$looked" ]; then
      looked=$((elapsed + look))
      watch_notifications
      # Somebody changed by hand what the Secrets and the program say, or this script did: everything is checked again.
      # The hash is the one from before the check: what changes while it runs is a reason for the next one. The first
      # look finds none, and checks what changed during the first check.
      if now=$(fingerprint) && [ "$now" != "$found" ]; then
        applied= logins_applied=
        found=$now
      fi
    fi
    if [ "$wanted" != "$applied" ] && { [ "$wanted" != "$tried" ] || [ "$elapsed" -ge "$retry" ]; }; then
      apply
      case $? in
      0)
        applied=$wanted begun=1 tried= retry=0
        touch "$state/done"
        [ "$noticed" = "$wanted" ] || notice "$(cat /etc/credentials/owner/POSTGRES_DB)"
        noticed=$wanted
        ;;
      2) tried=$wanted retry=$((elapsed + again)) ;;
      *) tried=$wanted retry=$((elapsed + 1)) ;;
      esac
    fi
  fi
  # After what makes the pod ready, which no login delays. Without the Secret nothing is known about any login.
  if [ -n "$applied" ]; then reconcile_logins; fi
  reconcile_configuration
  version=$(configuration_version)
  if [ "$version" != "$loaded" ] && [ -n "$applied" ] && [ ! -s "$state/refused-configuration" ]; then
    # The server has read it at its start, but for files that came after that. A reload that fails, such as while the
    # server is starting, is tried again.
    if [ -z "$loaded" ] && [ -z "${WATCHED:-}" ]; then
      loaded=$version
    elif reload; then
      loaded=$version
    fi
  fi
  # Also while a check cannot be made, as with all of the owner's connections in use.
  if [ -n "$begun" ]; then
    [ "$elapsed" -lt "$read_back_at" ] || read_back
    write_heartbeat
    describe
    write_figures
  fi
  if [ -n "$applied" ]; then sleep 2; else sleep 0.2; fi
done
