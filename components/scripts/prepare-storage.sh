# Prepares the directory that a PostgreSQL server will own, and checks that it is the one that is meant.
# Run by /bin/sh on the node. Set above this line:
#   path      the directory
#   mount     mount point that must be mounted, or empty
#   capacity  bytes that must be free, the data already there included
#   identity  whose data this is
# Two markers beside the data, never inside it (initdb takes only an empty directory):
#   volume.identity   whose data this is; the server compares it at every start
#   initialize.once   permission for one first start, given here to a new directory only
set -eu

fail() {
  echo "storage on $(hostname): $1" >&2
  exit 1
}

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  $as_root true 2>/dev/null ||
    fail "$(id -un) is not root and may not run 'sudo -n'. Allow it, or connect as root: pulumi config set --path node.sshUser root"
fi

if [ -n "$mount" ] && ! grep -q " $mount " /proc/self/mounts; then
  fail "$mount is not mounted, so $path would be on another disk. Mount it ('mount $mount') and run 'pulumi up' again"
fi

owned="-o 999 -g 999"
entries=$($as_root ls -A "$path" 2>/dev/null | grep -vx -e 'lost+found' -e initialize.once || true)
found=$($as_root cat "$path/volume.identity" 2>/dev/null || true)

if [ -n "$found" ] && [ "$found" != "$identity" ]; then
  fail "$path belongs to $found, and this deployment is $identity. Choose another: pulumi config set --path storage.path <path>"
fi
if [ -z "$found" ] && [ -n "$entries" ]; then
  fail "$path holds files but no marker says whose. If it is the data of $identity, with its data directory as $path/pgdata: echo '$identity' | install $owned -m 0600 /dev/stdin $path/volume.identity"
fi

$as_root install -d $owned -m 0700 "$path"
if [ -z "$found" ]; then
  # The permission first: with the identity alone, an interruption here would leave a directory that no server may fill.
  $as_root install $owned -m 0600 /dev/null "$path/initialize.once"
  echo "$identity" | $as_root install $owned -m 0600 /dev/stdin "$path/volume.identity"
fi

free=$($as_root df -PB1 "$path" | awk 'NR == 2 { print $4 }')
used=$($as_root du -sxB1 "$path" | cut -f 1)
if [ "$((free + used))" -lt "$capacity" ]; then
  fail "$path has $free bytes free and $used in use, together less than the capacity of $capacity bytes. Free some, or: pulumi config set --path storage.capacity <size>"
fi
state="with what is there"
[ -n "$found" ] || state="new, for one new database"
echo "$path is ready, $state: $identity, $free bytes free"
