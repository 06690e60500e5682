# Part of reconcile.sh, whose functions it uses: what the server knows and a restore asks for: which extensions each
# database has, in which version. It goes into a file next to the backup agent's, and with each base backup into the
# repository. The agent's image has no psql.

# Seconds between two descriptions, and until there is something to describe: a first backup waits for it.
describe_pause=60
describe_soon=5
describe_at=0

# describe: a server that does not archive has no use for it, and one that cannot be asked keeps the description it had,
# which is not used once it is old.
describe() {
  local -a databases=()
  local database found extensions=
  [ "$elapsed" -ge "$describe_at" ] || return 0
  describe_at=$((elapsed + describe_pause))
  # Names are whatever somebody has chosen: only this byte is in none of them.
  mapfile -d '' -t databases < <(administer -At0 -f "$here/described-databases.sql" 2>"$state/errors")
  [ ${#databases[@]} -gt 0 ] || { describe_at=$((elapsed + describe_soon)) && return 0; }
  for database in "${databases[@]}"; do
    # As -d, a name with "=" in it would be options of the connection.
    touch "$state/heartbeat"
    if ! found=$(PGDATABASE=$database superuser description "$options" -At -f "$here/extensions.sql" 2>"$state/errors"); then
      said description "backups are not annotated with extensions, as a database cannot be asked: $(tail -n 1 "$state/errors")"
      return 0
    fi
    extensions+=${extensions:+;}$found
  done
  if administer -v extensions="$extensions" -f "$here/describe.sql" >/dev/null 2>"$state/errors"; then
    already[description]=
  else
    said description "backups are not annotated with extensions, as they cannot be written down: $(tail -n 1 "$state/errors")"
  fi
}
