# Part of what reads the owner's tables: its sessions. The tables may hold anything, and what they hold must not run as
# anybody else.
# Environment: OWNER, DATABASE.
owner_options="-c search_path=pg_catalog -c lock_timeout=5s -c statement_timeout=0 -c row_security=off"
owner_options+=" -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed"
owner_options+=" -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0"

# as_owner <what> <seconds> <socket> <psql's arguments>: psql as the owner, for at most these seconds. <what> names the
# session in the server's log and in pg_stat_activity.
as_owner() {
  PGAPPNAME=transcript-pipeline/$1 PGOPTIONS=$owner_options PGCONNECT_TIMEOUT=10 \
    timeout "$2" psql -X -q -w -At -v ON_ERROR_STOP=1 -h "$3" -U "$OWNER" -d "$DATABASE" "${@:4}"
}
