# Part of everything that runs pgBackRest: its repositories, and whether they can be used.
# Environment: VOLUME, DATA_DIRECTORY, IDENTITY (whose data it is), REPOSITORIES (each as <number>:<name>:<kind>, of
# one on another machine also :<port>:<host>), and pgBackRest's own, PGBACKREST_*.
# Mounted: /etc/pgbackrest (ConfigMap), /etc/pgbackrest-secrets (Secret), /repository/<name>.

# repositories: sets `numbers`, and `names`, `kinds`, `hosts` and `ports` by number.
declare -a numbers=() names=() kinds=() hosts=() ports=()
repositories() {
  local entry number name kind port host
  for entry in $REPOSITORIES; do
    IFS=: read -r number name kind port host <<<"$entry"
    numbers+=("$number") names[number]=$name kinds[number]=$kind hosts[number]=$host ports[number]=$port
  done
}

# Why a repository's directory is not used, by number; and options that keep pgBackRest out of those directories.
declare -a objections=() blocked=()

# usable: whether pgBackRest can run at all. It sets `objections` and `blocked`, as a directory may not be the one that is
# meant, and `objection`: all that is wrong.
usable() {
  local number found
  objection='' objections=() blocked=()
  if [ ! -s "$PGBACKREST_CONFIG" ]; then
    objection="there is no configuration: ConfigMap postgres-backup-config is missing. Deploy again: pulumi up --refresh"
    return 1
  elif ! compgen -G "$PGBACKREST_CONFIG_INCLUDE_PATH/*.conf" >/dev/null; then
    objection="there are no passphrase and keys: Secret postgres-backup is missing. Deploy again: pulumi up --refresh"
    return 1
  fi
  for number in "${numbers[@]}"; do
    [ "${kinds[number]}" = directory ] || continue
    found=
    # A disk that is not mounted leaves an empty directory, and a backup into it would fill the root disk.
    { read -r found <"/repository/${names[number]}/volume.identity"; } 2>/dev/null
    if [ -z "$found" ]; then
      objections[number]="repository ${names[number]}: its directory on the node has no marker volume.identity, so the disk or share is not mounted. Nothing was written. Mount it; the WAL waits on the data's disk"
    elif [ "$found" != "$IDENTITY.backup-${names[number]}" ]; then
      objections[number]="repository ${names[number]}: its directory on the node belongs to $found. Nothing was written. Choose another: pulumi config set --path backup.repositories.${names[number]}.path <path>"
    else
      continue
    fi
    # Nothing can be made below it, and the others are used all the same.
    blocked+=("--repo$number-path=/dev/null/none")
  done
  reached
  objection=${objections[*]}
}

# reached: sets an objection to each machine that cannot be connected to. pgBackRest tries for minutes before it says so.
reached() {
  local number failure
  for number in "${numbers[@]}"; do
    [ -n "${hosts[number]}" ] || continue
    failure=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "${hosts[number]}" "${ports[number]}" 2>&1) && continue
    # "bash: line 1: store.example.com: Name or service not known", once for each attempt.
    failure=${failure%%$'\n'*} failure=${failure##*: }
    objections[number]="repository ${names[number]}: no connection to ${hosts[number]}, port ${ports[number]}: ${failure:-no answer within 5 s}. If it is elsewhere: pulumi config set --path backup.repositories.${names[number]}.endpoint <host>. The WAL waits on the data's disk; archiving goes on by itself"
    blocked+=("--repo$number-type=posix" "--repo$number-path=/dev/null/none")
  done
}

# pgbackrest_run <arguments>: pgBackRest, for two minutes at most; its words are in `words`.
pgbackrest_run() {
  local status
  words=$(timeout -k 10 120 pgbackrest --stanza="$STANZA" "$@" 2>&1)
  status=$?
  # It reports after its last attempt, and then it says nothing.
  if [ "$status" = 124 ] || [ "$status" = 137 ]; then words="no answer from the repository within 120 s. $words"; fi
  return "$status"
}

# Made once for each configuration: without it nothing can be archived.
stanza_made=
# stanza: makes the place of this database in each repository, where there is none.
stanza() {
  local version
  version=$(readlink "${PGBACKREST_CONFIG%/*}/..data" "$PGBACKREST_CONFIG_INCLUDE_PATH/..data" 2>/dev/null)
  [ "$stanza_made" != "made $version" ] || return 0
  # Offline: what it has to know is in the files, and a server that stops cannot be asked.
  pgbackrest_run --log-level-console=warn --no-online "${blocked[@]}" stanza-create || return
  stanza_made="made $version"
}

# essential <words>: pgBackRest's complaint in one line, without what it repeats and without the requests that it shows.
essential() {
  local line text=
  local -A seen=()
  # "2026-11-28 14:30:00.123 P00  ERROR: [028]: …", "    HINT: …", "*** Request Headers ***:", "<Error><Code>…</Code>…".
  while read -r line; do
    [ -n "$line" ] && [ -z "${seen[$line]:-}" ] || continue
    seen[$line]=yes
    text+="${text:+ }$line"
  done < <(sed -E '
    /\*\*\* Path\/Query \*\*\*/,/\*\*\* Response Content \*\*\*|P[0-9]+ +[A-Z]+:/ { /P[0-9]+ +[A-Z]+:/!d }
    s/^[0-9: .-]*P[0-9]+ +(ERROR|WARN|INFO|DETAIL): *//
    s/^.*<Code>([^<]*)<\/Code>.*<Message>([^<]*)<\/Message>.*$/\1: \2/
    /^ *<\?xml[^>]*> *$/d' <<<"$1")
  printf '%s\n' "$text"
}

# explained <words> <number of the repository>: the complaint of pgBackRest or rclone in a line, with what to do where that
# is known. By default, the repository is the one that the words name.
explained() {
  local text advice= name='<name>' kind= set='pulumi config set' key number=
  # What was decrypted with another passphrase is shown as it is.
  text=$(essential "$1" | LC_ALL=C tr -c '[:print:]\n' '?')
  if [ -n "${2:-}" ]; then
    number=$2
  elif [[ $text =~ repo([12]) ]]; then
    number=${BASH_REMATCH[1]}
  elif [ ${#numbers[@]} = 1 ]; then
    number=${numbers[0]}
  fi
  [ -z "$number" ] || name=${names[number]:-$name} kind=${kinds[number]:-}
  key=backup.repositories.$name
  case $text in
    *'[028]'*)
      advice="The repository holds another database's backups. Restore it (docs/restoring.md), or "
      if [ "$kind" = volume ]; then
        advice+="remove it on the node: the folder backup in storage.path"
      else
        advice+="choose another path: $set --path $key.path <path>"
      fi
      ;;
    *'is not later than latest backup label'*)
      # "new backup label '…' is not later than latest backup label '20261129-013000F_20261130-013000I'"
      text=${text%%$'\n'*}
      key=${text##*latest backup label \'} key=${key%%\'*} key=${key##*_}
      advice="The node's clock was set back, or was ahead when the newest backup was made: set it. No backup can be made before the clock shows ${key:0:4}-${key:4:2}-${key:6:2} ${key:9:2}:${key:11:2}:${key:13:2}; archiving goes on"
      ;;
    # Before the passphrase's: both are a CryptoError.
    *certificate*expired*) advice="The store's certificate has expired: renew it at the store. Archiving goes on by itself" ;;
    *certificate*) advice="The store's certificate is not trusted. If it is the right store, set its CA: $set --path $key.ca -- \"\$(cat ca.crt)\"; its name must be $key.endpoint" ;;
    # In one of 256 files another passphrase is found out only by what comes out.
    *'is or was the repo encrypted'* | *'unable to flush'* | *'unable to load info file'*FormatError*) advice="The passphrase is not the one that the repository was made with: $set --secret --path secrets.backupPassphrase" ;;
    *RequestTimeTooSkewed*) advice="The node's clock is wrong: set it" ;;
    *NoSuchBucket*) advice="There is no such bucket: make it, or choose another: $set --path $key.bucket <bucket>" ;;
    *InvalidAccessKeyId* | *SignatureDoesNotMatch* | *AccessDenied* | *'403 (Forbidden)'*)
      advice="The store refuses these keys, or they have no right to the bucket: $set --secret --path secrets.repositories.$name.secretKey (and accessKey); $set --path $key.bucket <bucket>"
      ;;
    *'known hosts failure'* | *'knownhosts:'*) advice="The machine's host key is not one of those configured. If it is the right machine: ssh-keyscan <host> | $set --path $key.hostKeys" ;;
    *'public key authentication failed'* | *'unable to authenticate'*) advice="The machine does not let user and key in: add the public key to the user's authorized_keys there, or set another: $set --secret --path secrets.repositories.$name.privateKey" ;;
    *'permission denied'*) advice="The user may not write there: give it the directory, or choose another: $set --path $key.path <path>" ;;
    *[Nn]'o space left'* | *'no space on filesystem'* | *'quota exceeded'* | *'507 ('*) advice="The repository is full: enlarge it, or keep fewer backups: $set --path $key.keepFull <number>. Archiving goes on by itself" ;;
  esac
  # Its hints are about other causes.
  [ -z "$advice" ] || text=${text%% HINT:*}
  text=${text:0:900}
  printf '%s\n' "${text%%[.:]}${advice:+. $advice}"
}
