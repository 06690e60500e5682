#!/bin/bash
# Makes a base backup in every repository, one after the other: environment TYPE says which, full or incr. Run by a Job; its last line says
# why it has failed. Where a repository has no backup yet, pgBackRest makes a full one.
# Environment: as repositories.sh, WAIT (seconds to wait for the server or for another backup's end), IMAGE (the server's).
set -uo pipefail
here=${BASH_SOURCE%/*}
say() { echo "backup: $*"; }
# shellcheck source=components/backup/scripts/repositories.sh
. "$here/repositories.sh"
# shellcheck source=components/server/scripts/superuser.sh
. "$here/superuser.sh"

# As every session of the superuser: nothing that the owner can write decides what it does.
export PGOPTIONS=$superuser_options PGAPPNAME=transcript-pipeline/backup

repositories
failed=()
for number in "${numbers[@]}"; do
  while true; do
    cause=
    if ! usable || [ -n "${objections[number]:-}" ]; then
      words=${objections[number]:-$objection}
    else
      # It fails where another repository is away, which is no reason not to make a backup in this one.
      stanza || cause=$words
      say "making a backup ($TYPE) in repository ${names[number]}"
      pgbackrest --stanza="$STANZA" --repo="$number" --type="$TYPE" --log-level-console=info "${blocked[@]}" \
        --annotation=image="$IMAGE" --annotation=identity="$IDENTITY" backup 2>&1 | tee /tmp/backup.said
      [ "${PIPESTATUS[0]}" != 0 ] || continue 2
      words=${cause:-$(grep -E 'ERROR|HINT' /tmp/backup.said || tail -n 3 /tmp/backup.said)}
    fi
    # A server that is starting, a repository that is away for a moment, another backup that is not finished.
    [ "$SECONDS" -lt "$WAIT" ] || break
    say "repository ${names[number]}: $(explained "$words"); trying again"
    sleep 10
  done
  failed+=("repository ${names[number]}: $(explained "$words")")
done
[ ${#failed[@]} = 0 ] || { printf 'backup: FAILED: %s\n' "${failed[*]}" && exit 1; }
say "done in $SECONDS s"
