# Part of start-server.sh: which configuration the server starts with. Sets `configuration`, the options of postgres.
#
# Tries a configuration other than the last one that started first: starts the server on its own directory, at a port
# that nobody knows, and stops it as soon as it accepts connections. Then keeps the files in the volume's root. If it
# does not start, it is compared with the kept files, and no message is interpreted: when the kept files start and the
# deployed ones do not, twice, the deployed ones are at fault, and the server runs with the kept ones. When neither
# start, something else is wrong (a full disk, damaged data, a wrong owner), and no fallback hides it.
#
# Old files never decide who may connect: pg_hba.conf and pg_ident.conf are always the deployed ones. If the server
# cannot load them, nobody connects over the network.
#
# Like start-server.sh, which says why, it substitutes no command.

deployed=/etc/postgresql
state=/run/reconcile
# A link to last-started.<checksum>, switched once that directory is complete. Its SHA256SUMS begins with the server's
# version.
kept=$VOLUME/last-started
# Exists while a trial runs: a killed trial leaves a postmaster.pid whose number may be any process's by now.
trial_mark=$VOLUME/last-started.trial
trial_port=5431
trial=
# Whether the server only checked its files, or started: `files` or `server`.
asked=
# Files of the ConfigMap that PostgreSQL does not read.
not_read=(sessions.conf initialization preparation)

stop_trial() {
  if [ -n "$trial" ]; then
    # Again and again: a process in the background ignores it until the server has installed its handler.
    while kill -INT "$trial" 2>/dev/null; do
      sleep 0.2 &
      wait $! || true
    done
    wait "$trial" || true
  fi
  exit 143
}

# forget_killed_trial: removes what a trial left that was killed with its container. Its number may be another process's
# by now, and the server would take that one for itself. It cannot be a real server's: this start holds the directory's
# lock, which the last process of an earlier server would still hold.
forget_killed_trial() {
  local lines directories directory
  IFS=, read -r -a directories </tmp/trial.sockets || true
  for directory in "${directories[@]}"; do
    rm -f "${directory# }/.s.PGSQL.$trial_port"{,.lock}
  done
  { mapfile -t lines <"$PGDATA/postmaster.pid"; } 2>/dev/null || lines=()
  # As pg_ctl reads it: the fourth line is the port.
  [ "${lines[3]:-}" != "$trial_port" ] || rm -f "$PGDATA/postmaster.pid"
}

# try <options>: whether the server becomes ready with them. Its output is in /tmp/trial.said, and in the log.
try() {
  local lines status=0 ready= tee
  # First what can be checked without a start: this names every wrong line.
  if ! postgres -D "$PGDATA" "$@" -C unix_socket_directories >/tmp/trial.sockets 2>/tmp/trial.said; then
    cat /tmp/trial.said >&2
    asked=files
    return 1
  fi
  asked=server
  rm -f /tmp/trial.pipe
  mkfifo -m 0600 /tmp/trial.pipe
  : 2>/dev/null >"$trial_mark" || true
  forget_killed_trial
  tee /tmp/trial.said </tmp/trial.pipe >&2 &
  tee=$!
  # Nothing is archived by a trial, and nothing forgotten: WAL without an archive_command waits for one.
  postgres -D "$PGDATA" "$@" -c port="$trial_port" -c archive_command= -c log_destination=stderr -c logging_collector=off 2>/tmp/trial.pipe &
  trial=$!
  while kill -0 "$trial" 2>/dev/null; do
    { mapfile -t lines <"$PGDATA/postmaster.pid"; } 2>/dev/null || lines=()
    # Its first line is the process number, its last one the state, as pg_ctl reads it.
    if [ "${lines[0]:-}" = "$trial" ] && [[ ${lines[7]:-} =~ ^(ready|standby) ]]; then
      ready=1
      kill -INT "$trial" 2>/dev/null || true
      break
    fi
    sleep 0.1 &
    wait $! || true
  done
  wait "$trial" || status=$?
  trial=
  wait "$tee" || true
  rm -f /tmp/trial.pipe "$trial_mark"
  [ -n "$ready" ] || return 1
  # A server that cannot stop cleanly has not proved that it runs.
  [ "$status" = 0 ]
}

# reason: the server's last messages in one line, for people: every line of a complaint, or the end of the log.
reason() {
  local line all=() complaints=() bare=
  reason=
  { mapfile -t all </tmp/trial.said; } 2>/dev/null || true
  for line in "${all[@]}"; do
    # Without the time and the process. Messages from before its log is set up have no level.
    if [[ $line =~ (LOG|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT):\ +(.*)$ ]]; then
      line=${BASH_REMATCH[2]} bare=
      # A server that starts logs other things than complaints.
      [ "${BASH_REMATCH[1]} $asked" != "LOG server" ] || continue
    elif [[ $line =~ ^postgres:\  ]]; then
      bare=1
    elif [ -z "$bare" ]; then
      continue
    fi
    complaints+=("$line")
  done
  [ ${#complaints[@]} -gt 0 ] || complaints=("it ended without a message")
  for line in "${complaints[@]:0:6}"; do reason+="${reason:+; }$line"; done
  reason=${reason:0:900}
}

# list_deployed: the checksums of what the server would read, with the server's version, in /tmp/deployed.sums.
list_deployed() {
  local file names=()
  for file in "$deployed"/*; do
    file=${file##*/}
    [[ " ${not_read[*]} " == *" $file "* ]] || names+=("$file")
  done
  (
    postgres --version | sed 's/^/# /'
    cd "$deployed" && sha256sum -- "${names[@]}"
  ) >/tmp/deployed.sums || true
}

# kept_whole: whether kept files exist, unchanged since they were written.
kept_whole() {
  [ -s "$kept/SHA256SUMS" ] || return 1
  if [ -s "$kept/postgresql.conf" ] && (cd "$kept" && sha256sum --check --status --strict SHA256SUMS) 2>/dev/null; then return 0; fi
  say "the files in $kept are damaged and are not used"
  return 1
}

# same <file>: whether it is deployed as it was kept.
same() { cmp -s "$deployed/$1" "$kept/$1"; }

# keep: the deployed files, as listed, become the kept ones. A full disk must not keep the server from starting.
keep() {
  local name sum file
  sha256sum </tmp/deployed.sums | read -r sum _
  name=last-started.${sum:0:16}
  rm -rf "${VOLUME:?}/$name" "$VOLUME/last-started.link" && mkdir -m 0700 "$VOLUME/$name" || return 1
  while read -r sum file; do
    if [ "$sum" != '#' ]; then cp "$deployed/$file" "$VOLUME/$name/$file" || return 1; fi
  done </tmp/deployed.sums
  cp /tmp/deployed.sums "$VOLUME/$name/SHA256SUMS" &&
    (cd "$VOLUME/$name" && sha256sum --check --status --strict SHA256SUMS) &&
    sync "$VOLUME/$name"/* "$VOLUME/$name" || return 1
  if [ -d "$kept" ] && [ ! -L "$kept" ]; then rm -rf "$kept"; fi
  ln -s "$name" "$VOLUME/last-started.link" && mv -T "$VOLUME/last-started.link" "$kept" && sync "$VOLUME" || return 1
  for file in "$VOLUME"/last-started.????????????????; do
    [ "$file" = "$VOLUME/$name" ] || rm -rf "$file"
  done
}

# turn <link> <target>: atomically.
turn() { ln -s "$2" "$state/$1.new" && mv -T "$state/$1.new" "$state/$1"; }

# refused_with <configuration> <access>: prepares a start without what the server refuses, and the options for it.
# reconcile-configuration.sh switches both links to the deployed files when these change, and reloads.
#   kept | deployed       the settings
#   deployed | pod-only   who may connect
refused_with() {
  rm -rf "$state"/{configuration,access,last-started}
  mkdir -m 0700 -p "$state/last-started/access"
  if [ "$1" = kept ]; then
    cp "$kept"/* "$state/last-started/"
    # Files included by absolute path were those of the ConfigMap at that time.
    sed -E -i "s,^(\s*include(_dir|_if_exists)?\s*=?\s*'?)$deployed/,\1$state/last-started/," "$state/last-started/postgresql.conf"
  else
    echo "include '$deployed/postgresql.conf'" >"$state/last-started/postgresql.conf"
  fi
  turn configuration last-started
  if [ "$2" = deployed ]; then
    turn access "$deployed"
  else
    cat >"$state/last-started/access/pg_hba.conf" <<'HBA'
# The deployed pg_hba.conf could not be loaded, and no older one is used: nobody connects over the network.
local  all  postgres                peer
local  all  all                     peer map=server_pod
host   all  all       127.0.0.1/32  scram-sha-256
host   all  all       ::1/128       scram-sha-256
HBA
    turn access last-started/access
  fi
  configuration=(
    -c "config_file=$state/configuration/postgresql.conf"
    -c "hba_file=$state/access/pg_hba.conf" -c "ident_file=$deployed/pg_ident.conf"
  )
}

# tell_refusal <what runs instead>: for every place where people look: the log, the reconciler, and every session (`show
# transcript_pipeline.refused_configuration`). Needs the reason, and the link of the refused ConfigMap.
tell_refusal() {
  local text="$1: $reason"
  printf '%s\n' "$text" >"$state/refused-configuration"
  printf '%s\n' "$link" >"$state/refused-link"
  text=${text//\\/\\\\}
  echo "transcript_pipeline.refused_configuration = '${text//\'/\'\'}'" >>"$state/last-started/postgresql.conf"
  say "CONFIGURATION REFUSED. $1: $reason. See docs/refused-configuration.md"
}

read_link() { link=; readlink "$deployed/..data" | read -r link || true; }

# start_other_than_deployed: after the deployed files were refused. 1: they are not at fault, or nothing else exists.
start_other_than_deployed() {
  local refusal file changed=
  reason
  refusal=$reason
  if ! kept_whole; then
    refuse "the server does not start with the deployed configuration, and no earlier one has started: $refusal. Nothing was changed. Correct it and deploy again; see docs/refused-configuration.md"
  fi
  for file in "$deployed"/*; do
    file=${file##*/}
    case $file in
      pg_hba.conf | pg_ident.conf) ;;
      *) [[ " ${not_read[*]} " == *" $file "* ]] || same "$file" || changed=1 ;;
    esac
  done
  for file in "$kept"/*; do [ -e "$deployed/${file##*/}" ] || [ "${file##*/}" = SHA256SUMS ] || changed=1; done

  local settings access instead
  for settings in deployed kept; do
    for access in deployed pod-only; do
      # Files that started before are not suspected.
      case "$settings $access" in
        'deployed deployed') continue ;;
        'kept deployed') [ -n "$changed" ] || continue ;;
        'deployed pod-only') same pg_hba.conf && same pg_ident.conf && continue ;;
        'kept pod-only') { [ -z "$changed" ] || { same pg_hba.conf && same pg_ident.conf; }; } && continue ;;
      esac
      case "$settings $access" in
        'kept deployed') instead="the server runs with the last configuration that started, because PostgreSQL refuses the deployed one" ;;
        'deployed pod-only') instead="the server lets nobody in over the network, because PostgreSQL cannot load the deployed pg_hba.conf" ;;
        *) instead="the server runs with the last configuration that started and lets nobody in over the network, because PostgreSQL refuses the deployed configuration and pg_hba.conf" ;;
      esac
      say "trying the start with ${settings} settings and ${access} access files"
      refused_with "$settings" "$access"
      try "${configuration[@]}" || continue
      # Once more: it may have been killed, or the disk may have been full for a moment.
      if try -c "config_file=$deployed/postgresql.conf"; then return 2; fi
      reason
      tell_refusal "$instead"
      return 0
    done
  done
  reason=$refusal
  return 1
}

# choose_configuration: sets `configuration`. Ends the start if no configuration makes the server ready.
choose_configuration() {
  trap stop_trial INT TERM
  if [ -e "$trial_mark" ]; then rm -f "$PGDATA/postmaster.pid" "$trial_mark"; fi
  rm -rf "$state"/{refused-configuration,refused-link,configuration,access,last-started}
  local before status
  while true; do
    read_link
    before=$link
    list_deployed
    configuration=(-c "config_file=$deployed/postgresql.conf")
    # A server that recovers has another day's files; its settings are not tried then.
    if [ -e "$PGDATA/recovery.signal" ]; then break; fi
    # It started before, with this very server.
    if cmp -s /tmp/deployed.sums "$kept/SHA256SUMS" && kept_whole; then break; fi
    say "trying the configuration, which is not the one that started last"
    status=0
    if ! try "${configuration[@]}"; then start_other_than_deployed || status=$?; fi
    read_link
    # A ConfigMap that changed meanwhile is tried next.
    [ "$link" = "$before" ] || continue
    case $status in
      0) ;;
      2) configuration=(-c "config_file=$deployed/postgresql.conf") ;;
      *) refuse "the server starts neither with the deployed configuration nor with the last one that started, so the configuration is not what is wrong: $reason" ;;
    esac
    if [ ! -e "$state/refused-configuration" ] && ! keep 2>/tmp/keep.said; then
      say "the configuration could not be kept as a fallback for a wrong one:" && cat /tmp/keep.said >&2
    fi
    break
  done
  trap 'exit 143' INT TERM
}
