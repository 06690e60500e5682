#!/bin/bash
# Makes a base backup in every repository, one after the other: environment TYPE says which, full or incr. Run by a Job; its last line says
# why it has failed. Where a repository has no backup yet, pgBackRest makes a full one.
# Environment: as repositories.sh, WAIT (seconds to wait for the server or for another backup's end), IMAGE (the server's).
set -uo pipefail
here=${BASH_SOURCE%/*}
say() { echo "backup: $*"; }
# shellcheck source=components/kubernetes/scripts/clock.sh
. "$here/clock.sh"
# shellcheck source=components/backup/scripts/handover.sh
. "$here/handover.sh"
# shellcheck source=components/backup/scripts/repositories.sh
. "$here/repositories.sh"
# shellcheck source=components/server/scripts/superuser.sh
. "$here/superuser.sh"

# As every session of the superuser: nothing that the owner can write decides what it does.
export PGOPTIONS=$superuser_options PGAPPNAME=transcript-pipeline/backup

# described: sets `annotations`, which come back with the backup: the server's image, whose data it is and, as the server
# has written it down (describe.sql), what the database needs of an image.
annotations=()
described() {
  local line file=$handover/description
  local -a lines=()
  annotations=(--annotation=image="$IMAGE" --annotation=identity="$IDENTITY")
  # The first backup may come before it. What is being written has no end yet.
  until { mapfile -t lines <"$file"; } 2>/dev/null && [ "${lines[-1]:-}" = end ]; do
    tick
    [ "$elapsed" -lt 20 ] && [ "$elapsed" -lt "$WAIT" ] || break
    sleep 0.5
  done
  # A server that has been away for long may have other extensions by now.
  if [ "${lines[-1]:-}" != end ] || [ -z "$(find "$file" -mmin -10)" ]; then
    say "the server has not said which extensions it has in the last 10 minutes, and the backup is not annotated with them"
    return
  fi
  unset 'lines[-1]'
  for line in "${lines[@]}"; do
    # Nothing else can be meant for the file of pgBackRest, or for whoever reads it.
    if [[ $line =~ ^(extensions|version|settings)=[A-Za-z0-9_.+:\;,=%-]*$ ]] && [ ${#line} -le 16384 ]; then
      annotations+=("--annotation=$line")
    else
      say "the backup is not annotated with this, which is too long or not plain: ${line:0:40}"
    fi
  done
}

repositories
pending=("${numbers[@]}")
complaints=()
# Each repository in turn, and then those again where it failed: one that is away does not delay the others.
while true; do
  failed=()
  for number in "${pending[@]}"; do
    cause=
    if ! usable || [ -n "${objections[number]:-}" ]; then
      words=${objections[number]:-$objection}
    else
      # It fails where another repository is away, which is no reason not to make a backup in this one.
      stanza || cause=$words
      described
      say "making a backup ($TYPE) in repository ${names[number]}"
      pgbackrest --stanza="$STANZA" --repo="$number" --type="$TYPE" --log-level-console=info "${blocked[@]}" \
        "${annotations[@]}" backup 2>&1 | tee /tmp/backup.said
      [ "${PIPESTATUS[0]}" != 0 ] || continue
      words=${cause:-$(grep -E 'ERROR|HINT' /tmp/backup.said || tail -n 3 /tmp/backup.said)}
    fi
    failed+=("$number")
    complaints[number]="repository ${names[number]}: $(explained "$words")"
  done
  pending=("${failed[@]}")
  [ ${#pending[@]} -gt 0 ] || break
  # A server that is starting, a repository that is away for a moment, another backup that is not finished.
  tick
  [ "$elapsed" -lt "$WAIT" ] || break
  for number in "${pending[@]}"; do say "${complaints[number]}; trying again"; done
  sleep 10
done
words=
for number in "${pending[@]}"; do words+="${words:+ }${complaints[number]}"; done
[ -z "$words" ] || { say "FAILED: $words" && exit 1; }
tick
say "done in $elapsed s"
