# Prepares a directory that a PostgreSQL server or its backups will own, and checks that it is the right one.
# Run by a POSIX shell on the node, as root or as a user who may `sudo -n`. Set above this line:
#   path      the directory
#   mount     mount point that must be mounted, or empty
#   capacity  bytes that must be free, the data already there included
#   identity  whose directory this is
#   stack     the stack that configures it
#   section   section of the configuration with its path, mount and capacity, as in storage
#   script    name of this file
#   holds     what is in it: database, or repository (of backups)
# The first argument, for people who run the file by hand:
#   (none)        prepare a new directory, or check one that is this deployment's
#   adopt         mark an existing database (<path>/pgdata) or repository (<path>/repository) as this deployment's
#   new-database  allow one more first start, where pgdata was moved away for good
#   restore       prepare a new or emptied directory, for one restore from a backup and not for a new database
# Two markers next to the data, never inside it (initdb takes only an empty directory):
#   volume.identity   whose directory this is; the server compares it at every start, and each backup before it writes
#   initialize.once   permission for one first start, given here to a new directory for a database only. It holds
#                     "restore" where that must not be a new database, whatever the server is configured to do by then
set -eu

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
if ! as_root true 2>/dev/null; then
  echo "storage on $(uname -n): $(id -un) is not root and may not run 'sudo -n'. Allow it, or connect as root: pulumi config set --path node.sshUser root" >&2
  exit 1
fi
# The user behind sudo can become root anyway, so a home directory of theirs may be above the data.
invoker=$(id -u)
if [ "$invoker" = 0 ]; then invoker=${SUDO_UID:-0}; fi

# One root shell for everything: it walks to the directory, stays in it, and then says "." instead of a path.
as_root /bin/sh -s -- "$path" "$mount" "$capacity" "$identity" "$invoker" "$stack" "$section" "$script" "$holds" "${1-}" <<'AS_ROOT'
set -eu
umask 077
LC_ALL=C
export LC_ALL
unset CDPATH
path=$1 mount=$2 capacity=$3 identity=$4 invoker=$5 stack=$6 section=$7 script=$8 holds=$9
shift 9
task=$1
again="run 'pulumi up' again"

fail() {
  echo "storage on $(uname -n): $1" >&2
  exit 1
}

elsewhere="Choose another directory: pulumi config set --path $section.path <path>"
case $holds in
  database) inside=pgdata tasks="none, adopt, new-database or restore" ;;
  *) inside=repository tasks="none or adopt" ;;
esac
case $holds.$task in
  *. | *.adopt | database.new-database | database.restore) ;;
  *) fail "'$task' is not a task of this script. Allowed: $tasks" ;;
esac
# The same list as config/system-directories.ts.
case $path in
  /usr/local/bin | /usr/local/etc | /usr/local/games | /usr/local/include | /usr/local/lib | /usr/local/lib64 | \
    /usr/local/libexec | /usr/local/man | /usr/local/sbin | /usr/local/share | /usr/local/src | \
    /usr/local/bin/* | /usr/local/etc/* | /usr/local/games/* | /usr/local/include/* | /usr/local/lib/* | \
    /usr/local/lib64/* | /usr/local/libexec/* | /usr/local/man/* | /usr/local/sbin/* | /usr/local/share/* | \
    /usr/local/src/*) system=yes ;;
  /usr/local/*) system= ;;
  / | /home | /media | /mnt | /opt | /root | /srv | /tmp | /usr/local | /var | /var/backups | /var/cache | \
    /var/crash | /var/db | /var/empty | /var/games | /var/lib | /var/local | /var/log | /var/mail | /var/opt | \
    /var/spool | /var/tmp | /var/www) system=yes ;;
  /bin | /boot | /dev | /etc | /lib | /lib32 | /lib64 | /libx32 | /lost+found | /proc | /run | /sbin | /sys | /usr | \
    /var/lock | /var/run) system=yes ;;
  /bin/* | /boot/* | /dev/* | /etc/* | /lib/* | /lib32/* | /lib64/* | /libx32/* | /lost+found/* | /proc/* | /run/* | \
    /sbin/* | /sys/* | /usr/* | /var/lock/* | /var/run/*) system=yes ;;
  *) system= ;;
esac
[ -z "$system" ] || fail "$path belongs to the operating system and is never given to the database. $elsewhere"
case $path/ in
  [!/]* | *//* | */./* | */../* | *[!A-Za-z0-9._@%+/-]*)
    fail "the path of the data is not an absolute path of letters, digits and . _ @ % + -, without '..'. $elsewhere" ;;
esac

# Mount point of the file system that holds the current directory. An escape in the kernel's list (a space is \040)
# never equals a path of the characters above.
mount_of_here() {
  exec 3<.
  number=
  while read -r key value; do
    if [ "$key" = mnt_id: ]; then number=$value; fi
  done </proc/self/fdinfo/3
  exec 3<&-
  point=
  while read -r id _ _ _ at _; do
    if [ "$id" = "$number" ]; then point=$at; fi
  done </proc/self/mountinfo
}

not_mounted() {
  fail "$mount is not mounted, so $path would be on another disk. Mount it ('mount $mount') and $again"
}

mount_reached=
# The current directory, just entered: on the right mount.
check_mount() {
  [ -n "$mount" ] || return 0
  if [ "$here" = "$mount" ]; then
    mount_of_here
    [ "$point" = "$mount" ] || not_mounted
    mount_reached=yes
  elif [ -n "$mount_reached" ]; then
    mount_of_here
    [ "$point" = "$mount" ] ||
      fail "$here is not on $mount: another file system is mounted at $point. Unmount it ('umount $point'), or: pulumi config set --path $section.mount $point"
  fi
}

# The current directory, from which the next one is reached: only root may exchange what is in it. In a sticky directory
# such as /tmp everybody may add, but nobody may rename what is root's.
check_parent() {
  shown=${here:-/}
  facts=$(ls -ldn .)
  set -- $facts
  case $3 in
    0 | "$invoker") ;;
    *) fail "$shown is above $path and belongs to uid $3, who could exchange the directory. Give it to root ('chown root $shown') and $again, or choose another: pulumi config set --path $section.path <path>" ;;
  esac
  case $1 in
    ?????????[tT]*) return 0 ;;
    ????????w*) writers="everybody" ;;
    ?????w????+*) writers="an access control list" ;;
    ?????w*)
      # A group with one member: its number is its user's.
      case $4 in
        0 | "$invoker") writers= ;;
        *) writers="group $4" ;;
      esac ;;
    *) writers= ;;
  esac
  [ -z "$writers" ] ||
    fail "$shown is above $path and can be written by $writers, who could exchange the directory. Remove that permission ('chmod go-w $shown') and $again, or choose another: pulumi config set --path $section.path <path>"
}

# Enters ./$1. What is entered is what the path names, even if somebody exchanges it meanwhile.
enter() {
  here=$here/$1
  [ ! -L "./$1" ] ||
    fail "$here is a symbolic link, and the data must not depend on where a link leads. Name the real directory ('readlink -f $path' on the node prints it): pulumi config set --path $section.path <path>"
  [ -d "./$1" ] || fail "$here is not a directory. Move it away, or choose another: pulumi config set --path $section.path <path>"
  cd -P "./$1" || fail "$here cannot be entered"
  [ "$(pwd -P)" = "$here" ] || fail "$here leads to $(pwd -P). Name the real directory: pulumi config set --path $section.path <path>"
  check_mount
}

cd /
here=
missing=
rest=${path#/}/
while [ -n "$rest" ]; do
  check_parent
  name=${rest%%/*}
  if [ ! -L "./$name" ] && [ ! -e "./$name" ]; then
    missing=$rest
    break
  fi
  enter "$name"
  rest=${rest#*/}
done
if [ -n "$mount" ] && [ -z "$mount_reached" ]; then not_mounted; fi

kind_of() {
  if [ -L "./$1" ]; then echo "a symbolic link"; elif [ -d "./$1" ]; then echo "a directory"; else echo "not a regular file"; fi
}

# ./$1, if it exists, is a regular file of at most $2 bytes.
check_file() {
  if [ ! -L "./$1" ] && [ ! -e "./$1" ]; then return 0; fi
  if [ -L "./$1" ] || [ ! -f "./$1" ]; then
    fail "$path/$1 is $(kind_of "$1"), which this deployment did not create. It was left alone, and not read. Inspect it ('ls -l $path'), remove it, and $again"
  fi
  size=$(ls -ln "./$1" | { read -r _ _ _ _ size _ && echo "$size"; })
  [ "$size" -le "$2" ] ||
    fail "$path/$1 has $size bytes, so it is not a file of this deployment. It was left alone, and not read. Inspect it ('ls -l $path'), remove it, and $again"
}

# Whose directory this is (found), and whether it has anything else in it (entries).
look() {
  found=
  entries=
  if [ -n "$missing" ]; then return 0; fi
  check_file volume.identity 512
  check_file volume.identity.new 512
  check_file initialize.once 512
  for entry in ..?* .[!.]* *; do
    if [ ! -L "./$entry" ] && [ ! -e "./$entry" ]; then continue; fi
    case $entry in
      volume.identity | volume.identity.new | initialize.once) ;;
      lost+found) if [ -L ./lost+found ] || [ ! -d ./lost+found ]; then entries=yes; fi ;;
      *) entries=yes ;;
    esac
  done
  [ -e ./volume.identity ] || return 0
  found=$(head -c 512 <./volume.identity | tr '\000' '?')
  lines=$(printf '%s\n' "$found" | grep -c '')
  # Only what has a marker's form is shown: the file might be anything.
  if [ "$lines" != 1 ] || ! printf '%s\n' "$found" |
    grep -Eqx '[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+(, moved to /[A-Za-z0-9._@%+/-]*)?'; then
    fail "$path/volume.identity does not hold the name of a deployment. It is not shown here. Inspect it on the node, remove it if it is not a marker, and $again"
  fi
}

by_hand="npm run render -- --stack $stack; copy rendered/$stack/$script to the node; there: sudo sh $script"

# Whether what was found allows the task.
judge() {
  if [ -n "$found" ] && [ "$found" != "$identity" ]; then
    fail "$path belongs to $found, and this deployment is $identity. $elsewhere"
  fi
  case $task in
    adopt)
      if [ "$holds" = database ]; then
        if [ -n "$missing" ] || [ -L ./pgdata ] || [ ! -d ./pgdata ] || [ -L ./pgdata/PG_VERSION ] || [ ! -f ./pgdata/PG_VERSION ]; then
          fail "$path/pgdata is not the data directory of a PostgreSQL server, so there is nothing to adopt"
        fi
      elif [ -n "$missing" ] || [ -L ./repository ] || [ ! -d ./repository ]; then
        fail "$path/repository is not a directory with backups, so there is nothing to adopt"
      fi
      facts=$(ls -ldn "./$inside")
      set -- $facts
      [ "$3" = 999 ] || fail "$path/$inside belongs to uid $3, and the server is uid 999. Give it to the server ('chown -R 999:999 $path/$inside') and adopt it again" ;;
    new-database)
      [ -n "$found" ] || fail "$path has no marker of $identity. Prepare it first: the same command without 'new-database'"
      if [ -L ./pgdata ] || [ -e ./pgdata ]; then
        fail "$path/pgdata exists, and no new database is created next to it. Move it away first, if it is really not needed"
      fi ;;
    restore)
      if [ -L ./pgdata ] || [ -e ./pgdata ]; then
        fail "$path/pgdata exists, and only an empty directory is restored into. Move it away first: mv $path/pgdata $path/pgdata.old"
      elif [ -z "$found" ] && [ -n "$entries" ]; then
        fail "$path holds files but no marker says whose. Nothing is restored next to them. $elsewhere"
      fi ;;
    *)
      if [ -z "$found" ] && [ -n "$entries" ]; then
        case $holds in
          database) what="is the data of $identity, with its data directory as" ;;
          *) what="holds the backups of $identity, in" ;;
        esac
        fail "$path holds files but no marker says whose. If it $what $path/$inside: $by_hand adopt"
      fi ;;
  esac
}

look
judge
if [ -z "$missing" ]; then
  facts=$(ls -ldn .)
  set -- $facts
  case $3 in
    0 | 999 | "$invoker") ;;
    *) fail "$path belongs to uid $3, neither to root nor to the server. If it is meant for this $holds: 'chown root $path' on the node, and $again" ;;
  esac
fi
# Copied by root, the server could not read it, and would report it as missing.
if [ -n "$found" ]; then
  for entry in volume.identity "$inside" pgdata/PG_VERSION; do
    if [ -L "./$entry" ] || [ ! -e "./$entry" ]; then continue; fi
    facts=$(ls -ldn "./$entry")
    set -- $facts
    [ "$3" = 999 ] || fail "$path/$entry belongs to uid $3, and the server is uid 999. Give it all to the server ('chown -R 999:999 $path' on the node) and $again"
  done
fi

free=$(df -Pk . | sed -n 's/.*[[:space:]]\(-\{0,1\}[0-9]\{1,\}\)[[:space:]]\{1,\}[0-9]\{1,\}%[[:space:]].*/\1/p')
[ -n "$free" ] || fail "'df -Pk' does not say how much is free for $path"
free=$((free * 1024))
used=0
if [ -z "$missing" ]; then
  # A running server's files come and go while they are counted.
  used=$(du -skx . 2>/dev/null | { read -r used _ && echo "$used"; })
  used=$((used * 1024))
fi
if [ "$((free + used))" -lt "$capacity" ]; then
  fail "$path has $free bytes free and $used in use, together less than the capacity of $capacity bytes. Free some, or: pulumi config set --path $section.capacity <size>"
fi

while [ -n "$missing" ]; do
  name=${missing%%/*}
  missing=${missing#*/}
  (umask 022 && mkdir "./$name") || fail "$here/$name cannot be created"
  enter "$name"
done

# Gives the directory to $1. Some shares have one owner for all files, whoever writes them: a repository takes one whose
# owner is the server.
give_to() {
  if chown "$1" . 2>/dev/null; then return 0; fi
  facts=$(ls -ldn .)
  set -- $facts
  if [ "$3" != 999 ] || [ "$holds" = database ]; then
    fail "root cannot change the owner of $path, as on a share that takes the node's root for another user (root_squash), or is read-only. How a share is set up for backups: docs/backup-directories.md"
  fi
}

# Takes the directory from its owner while root writes in it: nothing can be planted between a check and a write.
lock() {
  give_to 0:0
  chmod 0700 .
}

write_file() {
  rm -f "./$1"
  set -C
  printf '%s' "$2" >"./$1"
  set +C
  chmod 0600 "./$1"
  chown -h 999:999 "./$1"
}

if [ -z "$found" ] || [ "$task" = new-database ] || [ "$task" = restore ]; then
  lock
  look
  judge
  # The permission first: with the identity alone, an interruption here would leave a directory that no server may fill.
  case $holds.$task in
    *.adopt) rm -f ./initialize.once ;;
    database.restore) write_file initialize.once restore ;;
    database.*) write_file initialize.once "" ;;
    *) rm -f ./initialize.once ;;
  esac
  if [ -z "$found" ]; then
    write_file volume.identity.new "$identity
"
    mv -f ./volume.identity.new ./volume.identity
  fi
fi
chmod 0700 .
chmod ug-s .
give_to 999:999

# With SELinux, a pod may write only what is labelled for containers. What is created later inherits the label.
enforcing=
if [ -r /sys/fs/selinux/enforce ]; then read -r enforcing </sys/fs/selinux/enforce || true; fi
if [ "$enforcing" = 1 ]; then
  case $(ls -Zd . 2>/dev/null) in
    *:container_file_t:*) ;;
    *)
      chcon -R -t container_file_t . 2>/dev/null ||
        fail "SELinux is enforcing, and $path cannot be labelled for containers, so no pod could write it. On the node: 'chcon -R -t container_file_t $path', and $again" ;;
  esac
fi

case $task in
  adopt) state="with the $holds that is there" ;;
  new-database) state="for one new database" ;;
  restore) state="for one restore: pulumi config set --path backup.restoreFrom <repository>, and pulumi up" ;;
  *)
    if [ -n "$found" ]; then
      state="with what is there"
    elif [ "$holds" = database ]; then
      state="new, for one new database"
    else
      state="new, for backups"
    fi ;;
esac
echo "$path is ready, $state: $identity, $free bytes free"
AS_ROOT
