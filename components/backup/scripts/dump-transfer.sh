#!/bin/sh
# The other half of dump.sh, in an image with rclone: carries out one request after the other. Such an image may have no
# bash, so this is for any POSIX shell.
#   <verb>      <argument>…                               what it does
#   tidy                                                  ends uploads that a killed run has left, which no list shows
#   list                                                  transfer.file gets a line `<bytes>;<name>` for each object
#   put         <name>                                    what comes through the pipe becomes an object
#   get         <name>                                    an object goes through the pipe
#   delete      <name>                                    removes an object
# Requests as in handover.sh, under the name `transfer`, with verb, repository's number and arguments as lines. Each is
# tried once: the answer is transfer.done or transfer.failed, which holds the word and then rclone's complaint. The pipe is
# $VOLUME/stream.
# Environment: VOLUME (shared with dump.sh), REPOSITORIES (as repositories.sh), IDENTITY, RCLONE_CONFIG (without secrets).
# Mounted: /etc/pgbackrest (ConfigMap), /etc/pgbackrest-secrets (Secret), /repository/<name>.
set -u
umask 077
# Process 1: with it, everything in the container ends.
trap 'exit 143' TERM INT
folder=$VOLUME/handover
stream=$VOLUME/stream
said=/tmp/said

# answer <done|failed> <words>
answer() {
  printf '%s\n' "$word" "${2-}" >"$folder/answer.new"
  rm -f "$folder/transfer.running"
  mv "$folder/answer.new" "$folder/transfer.$1"
}

# secret <option>: of repository $number, from pgBackRest's files.
secret() { cat /etc/pgbackrest-secrets/repo"$number"-*.conf 2>/dev/null | sed -n "s/^repo$number-$1=//p" | head -n 1; }

# run <rclone's arguments>: rclone for repository $number. Passphrase and keys are in the environment of rclone alone.
run() (
  if [ -s "/etc/pgbackrest/$name.crt" ]; then export RCLONE_CA_CERT="/etc/pgbackrest/$name.crt"; fi
  export "RCLONE_CONFIG_DUMPS${number}_PASSWORD=$obscured"
  if [ "$kind" = s3 ]; then
    export "RCLONE_CONFIG_REPO${number}_ACCESS_KEY_ID=$(secret s3-key)"
    export "RCLONE_CONFIG_REPO${number}_SECRET_ACCESS_KEY=$(secret s3-key-secret)"
  fi
  exec rclone --contimeout 10s --timeout 60s --retries 1 --low-level-retries 5 --stats 0 --log-level ERROR "$@"
)

# usable: whether the repository may be written to. Sets `kind`, `name` and `obscured`, or `objection`.
usable() {
  objection='' kind='' name=''
  for entry in $REPOSITORIES; do
    case $entry in "$number":*) entry=${entry#*:} name=${entry%%:*} entry=${entry#*:} kind=${entry%%:*} ;; esac
  done
  if [ ! -s "$RCLONE_CONFIG" ]; then
    objection="there is no configuration: ConfigMap postgres-backup-config is missing. Deploy again: pulumi up --refresh"
  elif [ -z "$(secret cipher-pass)" ]; then
    objection="there are no passphrase and keys: Secret postgres-backup is missing. Deploy again: pulumi up --refresh"
  elif [ "$kind" = directory ]; then
    # A disk that is not mounted leaves an empty directory, and a dump into it would fill the root disk.
    found=
    { read -r found <"/repository/$name/volume.identity"; } 2>/dev/null
    if [ -z "$found" ]; then
      objection="its directory on the node has no marker volume.identity, so the disk or share is not mounted. Nothing was written. Mount it"
    elif [ "$found" != "$IDENTITY.backup-$name" ]; then
      objection="its directory on the node belongs to $found. Nothing was written. Choose another: pulumi config set --path backup.repositories.$name.path <path>"
    fi
  fi
  [ -z "$objection" ] || return 1
  # Read from a pipe: an argument would be seen by everybody who lists processes.
  obscured=$(secret cipher-pass | rclone obscure - 2>"$said") || { objection="rclone cannot take the passphrase: $(cat "$said")"; return 1; }
}

# carried_out <verb> <argument>…
carried_out() {
  verb=$1
  shift
  case $verb in
    tidy)
      # Only an object store has such uploads; the path below the bucket is the dumps' own.
      [ "$kind" = s3 ] || return 0
      run backend cleanup "$(sed -n "s/^remote = \(repo$number:.*\)/\1/p" "$RCLONE_CONFIG")" -o max-age=1s
      ;;
    list)
      run lsf --files-only --format sp "dumps$number:" >"$folder/transfer.file" && return
      # There is no such place yet.
      [ $? = 3 ]
      ;;
    put) run rcat "dumps$number:$1" <"$stream" ;;
    get) run cat "dumps$number:$1" >"$stream" ;;
    delete) run deletefile "dumps$number:$1" ;;
    *) echo "there is no request $verb" >&2 && return 1 ;;
  esac
}

serve() {
  word='' number=''
  { read -r word && read -r verb && read -r number; } <"$folder/transfer.running"
  usable || { answer failed "$objection"; return; }
  # The names have no blanks.
  # shellcheck disable=SC2046
  set -- "$verb" $(tail -n +4 "$folder/transfer.running")
  # In the background: a shell that waits for it stops at once when told to, and one that runs it does not.
  carried_out "$@" 2>"$said" &
  # "2026/11/29 03:30:00 ERROR : Attempt 1/1 failed with 1 errors and: …", "2026/11/29 03:30:00 Failed to rcat: …"
  if wait $!; then
    answer done
  else
    # Each dump is written and read with the same passphrase: what cannot be decrypted is damaged.
    answer failed "$(sed -E 's/^[0-9/]+ [0-9:]+ +([A-Z]+ *: )?//; s/^Attempt [0-9/]+ failed with [0-9]+ errors? and: //; s/^Failed to [a-z]+: //; s/ - bad password\?//' "$said" | tail -n 8)"
  fi
}

mkdir -p "$folder"
# What this container was doing when it was ended, such as for its memory.
if [ -e "$folder/transfer.running" ]; then
  read -r word <"$folder/transfer.running"
  answer failed "rclone's container was ended in the middle of it and started again: kubectl -n transcript-pipeline describe pod"
fi
while true; do
  if mv "$folder/transfer.wanted" "$folder/transfer.running" 2>/dev/null; then serve; else sleep 0.1; fi
done
