# Part of every script that connects as the superuser: the only way in. Nothing that a non-superuser can write may
# decide what such a session does: neither an owner's object with a better-matching signature (CVE-2018-1058) nor a
# setting that the owner has attached to the database (`ALTER DATABASE … SET`).
#
# Three lines of defence, each for every session:
#   1. These options of the connection. They are in force before the first statement, and what a client asks for
#      outranks what is attached to a database or a role (GucSource in PostgreSQL's guc.h). Each is one that would change
#      what the second line does, or end it, or write what it should not into the log.
#   2. superuser-session.sql, the session's first statement: every setting that the database decides goes back to
#      PostgreSQL's own default, whatever it is called, and so does what postgresql.conf says of how statements behave; and
#      the session makes sure of who it is.
#   3. The settings of the role itself, for people who connect as postgres: reconcile-sessions.sh.
superuser_options="-c search_path=pg_catalog -c role=none -c local_preload_libraries= -c temp_file_limit=-1"
superuser_options+=" -c client_encoding=UTF8 -c standard_conforming_strings=on -c quote_all_identifiers=off"
superuser_options+=" -c transform_null_equals=off -c default_transaction_read_only=off"
superuser_options+=" -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off"
# Settings that postgresql.conf may have for all sessions, and that would end this one, keep it out or let it wait
# forever before its first statement is over: no library is loaded for it, and its commits wait for no standby.
superuser_options+=" -c session_preload_libraries= -c statement_timeout=0 -c lock_timeout=0 -c synchronous_commit=local"
# The only one of these without a default to go back to.
superuser_options+=" -c timezone_abbreviations=Default"
superuser_options+=" -c exit_on_error=off -c client_min_messages=notice -c idle_in_transaction_session_timeout=0"
superuser_options+=" -c idle_session_timeout=0 -c debug_print_parse=off -c debug_print_rewritten=off -c debug_print_plan=off"
superuser_options+=" -c plpgsql.extra_errors=none -c plpgsql.extra_warnings=none -c plpgsql.check_asserts=on"

# superuser <what> <options> <psql's arguments>: psql as `postgres`, over the socket in $SUPERUSER_SOCKET. <what> names
# the session in the server's log and in pg_stat_activity. <options> are more options of the connection: each caller
# says how long it may take, and $superuser_time seconds in all. Statements come from a -c or a -f, which is `-f -` for
# standard input.
superuser() {
  PGAPPNAME="transcript-pipeline/$1" PGOPTIONS="$superuser_options $2" PGCONNECT_TIMEOUT=5 \
    ${superuser_time:+timeout "$superuser_time"} psql -X -q -w -v ON_ERROR_STOP=1 -h "$SUPERUSER_SOCKET" -U postgres \
    -f "${BASH_SOURCE%/*}/superuser-session.sql" "${@:3}"
}
