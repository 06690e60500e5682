# Part of reconcile.sh, whose functions it uses: the heartbeat of a server that archives its WAL. A row every few seconds
# tells, in a restored copy, up to which moment it holds what was written. See heartbeat.sql.

# Seconds between two heartbeats.
beat=10
beat_at=0

# write_heartbeat: a full disk or a server that is starting costs a heartbeat, and nothing else.
write_heartbeat() {
  [ "$elapsed" -ge "$beat_at" ] || return 0
  beat_at=$((elapsed + beat))
  if administer -f "$here/heartbeat.sql" >/dev/null 2>"$state/errors"; then
    already[heartbeat]=
  else
    said heartbeat "no heartbeat could be written: $(tail -n 1 "$state/errors")"
  fi
}
