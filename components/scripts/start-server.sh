#!/bin/bash
# Starts PostgreSQL as PID 1 of its container, on a directory that is known to be the right one and to be free.
# Environment: VOLUME (the mounted directory), IDENTITY (whose data it must be), PGDATA (a directory inside it),
# ADDRESS_SPACE (kB that one process may have).
set -euo pipefail

# PID 1 ignores a signal it has no handler for, and a pod that is told to stop here would wait for its kill. Bash loses
# a SIGINT that comes during a command substitution, so there is none on the way to the server; see stoppable.sh, which
# cannot serve here because the server must become process 1.
trap 'exit 143' INT TERM

say() { echo "start-server: $*" >&2; }
refuse() {
  say "REFUSED: $*"
  exit 1
}

found=
{ read -r -d '' found <"$VOLUME/volume.identity"; } 2>/dev/null || true
[ -n "$found" ] ||
  refuse "the directory behind $VOLUME has no marker volume.identity. The disk is not mounted, the path is wrong, or the directory was never prepared. Nothing was written. Expected: $IDENTITY"
[ "$found" = "$IDENTITY" ] ||
  refuse "the directory behind $VOLUME belongs to $found, and this server is $IDENTITY. Nothing was written."

# Held until the last process of this server has gone, whatever became of its pod: the descriptor is inherited by
# postgres and all its children. postmaster.pid cannot do this, every server being PID 1 of its own container.
exec {lock}>>"$VOLUME/server.lock"
until flock --exclusive --wait 10 "$lock"; do
  say "another server still runs on this directory; waiting for it to end"
done

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ ! -e "$PGDATA" ] || refuse "$PGDATA exists but holds no database. Nothing was written."
  [ -e "$VOLUME/initialize.once" ] ||
    refuse "$PGDATA is missing and there is no permission to make a new one. If a new database is wanted: npm run render -- --stack ${IDENTITY#*/}, copy rendered/${IDENTITY#*/}/prepare-storage.sh to the node, and there: sudo sh prepare-storage.sh new-database"
  say "making a new database"
  # Nobody can log in before the Secrets' passwords are in it: see the pod's readiness probe.
  : >/run/reconcile/first-start
  # Under another name until it is whole: a start that is killed half-way begins anew.
  rm -rf "$PGDATA.initializing"
  initdb --no-instructions --pgdata="$PGDATA.initializing" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    -c huge_pages=off --auth-local=peer --auth-host=reject >&2
  mv "$PGDATA.initializing" "$PGDATA"
  sync "$VOLUME"
fi
rm -f "$VOLUME/initialize.once"

# Another major version would say so too, but not what to do.
read -r -d '' holds <"$PGDATA/PG_VERSION" || true
# "postgres (PostgreSQL) 16.14 (…)"; lastpipe keeps what is read at the end of a pipeline.
shopt -s lastpipe
postgres --version | read -r _ _ version _
runs=${version%%.*}
[ "$holds" = "$runs" ] ||
  refuse "$PGDATA holds a database of PostgreSQL $holds, and this image is PostgreSQL $runs. Nothing was written. Go back to an image of PostgreSQL $holds; docs/upgrades.md says how to leave with every row"

# A second socket, for the superuser's Jobs: they mount the volume, read-only, and come in as the operating system's user.
mkdir -p -m 0700 "$VOLUME/socket"

# A statement that asks for more fails, with "out of memory", where the kernel would end the whole server: PostgreSQL
# bounds no session's memory, which every session can set for itself.
ulimit -v "$ADDRESS_SPACE"

exec postgres -D "$PGDATA" -c config_file=/etc/postgresql/postgresql.conf
