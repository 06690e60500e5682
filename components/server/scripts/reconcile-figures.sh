# Part of reconcile.sh, whose functions it uses: the figures that monitoring reads, and every ten minutes the question to
# the backup agent for what is in the repositories. See figures.sql and docs/status.md.

# Seconds between two sets of figures, and between two questions to the repositories, which cost a few requests each.
figures_pause=15
figures_at=0
report_pause=600
report_soon=30
report_at=0

# write_figures: a full disk or a server that is starting costs them, and nothing else.
write_figures() {
  local node
  [ "$elapsed" -ge "$figures_at" ] || return 0
  figures_at=$((elapsed + figures_pause))
  if [ "$elapsed" -ge "$report_at" ]; then request_report; fi
  touch "$state/heartbeat"
  node=$(timeout 15 bash "$here/node-figures.sh")
  # For monitoring.node(), which answers where nothing can be written to the disk.
  printf '%s\n' "$node" >"$state/node-figures.new" && mv -f "$state/node-figures.new" "$state/node-figures"
  if administer -v node="$node" -f "$here/figures.sql" >/dev/null 2>"$state/errors"; then
    already[figures]=
  else
    said figures "the figures for monitoring could not be written: $(tail -n 1 "$state/errors")"
  fi
}

# request_report: asks the backup agent, with a word that is new each time: see handover.sh of the backups. The server
# writes the request, because the volume is read-only here. Without an agent the folder is missing, and nothing is asked.
request_report() {
  local asked
  asked=$(administer -At -v word="$$-$RANDOM$RANDOM-$EPOCHREALTIME" -f "$here/request-report.sql" 2>"$state/errors") ||
    asked=
  # The agent may not have started yet.
  if [ "$asked" = again ] || [ -z "$asked" ]; then report_at=$((elapsed + report_soon)); else report_at=$((elapsed + report_pause)); fi
}
