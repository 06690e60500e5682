# Part of every script that connects as the superuser: the only way in. Nothing that a non-superuser can write may decide
# what such a session does: neither an object of the owner's with a better-matching signature (CVE-2018-1058) nor a
# setting that the owner has attached to the database (`ALTER DATABASE … SET`).
#
# Three lines of defence, each for every session:
#   1. These options of the connection. They are in force before the first statement, and what a client asks for
#      outranks what is attached to a database or a role (GucSource in PostgreSQL's guc.h).
#   2. superuser-session.sql, the session's first statement: every setting that the database decides goes back to
#      PostgreSQL's own default, whatever it is called, and the session makes sure of who it is.
#   3. The settings of the role itself, for people who connect as postgres: reconcile.sh.
superuser_options="-c search_path=pg_catalog -c role=none -c local_preload_libraries="
superuser_options+=" -c default_transaction_read_only=off -c temp_file_limit=-1 -c idle_session_timeout=0"

# superuser <what> <options> <psql's arguments>: psql as `postgres`, over the socket in $SUPERUSER_SOCKET. <what> names the
# session in the server's log and in pg_stat_activity. <options> are more options of the connection: how long it may take
# is for each caller to say, and $superuser_time seconds for the whole of it. Statements come from a -c or a -f, which is `-f -` for standard input.
superuser() {
  PGAPPNAME="transcript-pipeline/$1" PGOPTIONS="$superuser_options $2" PGCONNECT_TIMEOUT=5 \
    ${superuser_time:+timeout "$superuser_time"} psql -X -q -w -v ON_ERROR_STOP=1 -h "$SUPERUSER_SOCKET" -U postgres \
    -f "${BASH_SOURCE%/*}/superuser-session.sql" "${@:3}"
}
