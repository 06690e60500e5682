# Part of reconcile.sh: whether what the ConfigMap says is in force. PostgreSQL writes what it refuses only into its
# log, continues with what it had, and fails at its next start.
# Uses say, said, administer, $here and $again of reconcile.sh.

# Seconds between two checks while nothing changes, and seconds that a reload may take to arrive.
read_back_pause=60
reload_time=5
read_back_at=0

# load_time: when the server last loaded its files, or nothing.
load_time() { administer -At -c 'select pg_conf_load_time()' 2>/dev/null; }

# read_back: reports, whenever it changes, what in the files the server cannot use and what waits for its restart.
# Returns 0 when all of it is in force or only waits, 1 when something is wrong, 2 when it could not be read.
read_back() {
  local found tab=$'\t' wrong waits
  read_back_at=$((elapsed + read_back_pause))
  found=$(administer -At -F "$tab" -f "$here/settings-in-force.sql" 2>/dev/null) || {
    read_back_at=$((elapsed + again))
    return 2
  }
  wrong=$(sed -n "s/^wrong$tab//p" <<<"$found")
  waits=$(sed -n "s/^restart$tab//p" <<<"$found" | paste -s -d '~' - | sed 's/~/, /g')
  printf '%s' "$wrong" >"$state/refused-settings"
  # The last line is what `kubectl logs --tail` and the deployment show: the overall state.
  said "settings that are wrong" "${wrong:+SETTINGS REFUSED by the server, which keeps those it had and could not be started again with these:
$(sed 's/^/reconcile:   /' <<<"$wrong")
reconcile: correct database.settings and deploy again; docs/settings-refused.md}"
  said "settings that wait" "${waits:+in force only after a restart of the server: $waits}"
  [ -z "$wrong" ]
}

# reload: has the server read its files again, and reports the result. Returns 1 if it could not be told to.
reload() {
  local before until
  tick
  until=$((elapsed + reload_time))
  before=$(load_time)
  administer -c 'select pg_reload_conf()' >/dev/null 2>&1 || return 1
  # The server reports nothing to the session that told it. If it cannot read a file at all, the time does not change.
  while [ "$(load_time)" = "$before" ] && [ "$elapsed" -lt "$until" ]; do sleep 0.2 && tick; done
  read_back
  case $? in
    0) say "settings reloaded" ;;
    2) say "settings reloaded; the result cannot be read at the moment" ;;
  esac
  return 0
}
