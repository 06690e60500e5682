# Part of everything that runs pgBackRest: its repositories, and whether they can be used.
# Environment: VOLUME, DATA_DIRECTORY, IDENTITY (whose data it is), REPOSITORIES (each as <number>:<name>:<kind>), and pgBackRest's
# own, PGBACKREST_*. Mounted: /etc/pgbackrest (ConfigMap), /etc/pgbackrest/conf.d (Secret), /repository/<name>.

# repositories: sets `numbers`, and `names` and `kinds` by number.
declare -a numbers=() names=() kinds=()
repositories() {
  local entry number name kind
  for entry in $REPOSITORIES; do
    IFS=: read -r number name kind <<<"$entry"
    numbers+=("$number") names[number]=$name kinds[number]=$kind
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
    objection="there is no configuration: ConfigMap postgres-backup-config is missing. Deploy again: pulumi up"
    return 1
  elif ! compgen -G "$PGBACKREST_CONFIG_INCLUDE_PATH/*.conf" >/dev/null; then
    objection="there are no passphrase and keys: Secret postgres-backup is missing. Deploy again: pulumi up"
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
  objection=${objections[*]}
}

# pgbackrest_run <arguments>: pgBackRest, for two minutes at most; its words are in `words`.
pgbackrest_run() {
  words=$(timeout -k 10 120 pgbackrest --stanza="$STANZA" "$@" 2>&1)
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

# explained <words>: pgBackRest's complaint in a line, with what to do where that is known.
explained() {
  local text advice=
  # Its lines begin with the process's: "P00  ERROR: [028]: …".
  text=$(sed -E 's/^[0-9: .-]*P[0-9]+ +(ERROR|WARN|INFO|HINT): *//; s/^ *(HINT: )/\1/' <<<"$1" | tr -s '\n ' ' ')
  case $text in
    *'[028]'*) advice="The repository holds another database's backups. Restore it (docs/restoring.md), or choose another path: pulumi config set --path backup.repositories.<name>.path <path>" ;;
    *'[095]'* | *'unable to load info file'*'cipher'* | *CryptoError* | *'unable to flush'*) advice="The passphrase is not the one that the repository was made with: pulumi config set --secret --path secrets.backupPassphrase" ;;
    *InvalidAccessKeyId* | *SignatureDoesNotMatch* | *AccessDenied*) advice="The store refuses these keys: pulumi config set --secret --path secrets.repositories.<name>.secretKey" ;;
    *NoSuchBucket*) advice="There is no such bucket: make it, or choose another: pulumi config set --path backup.repositories.<name>.bucket <bucket>" ;;
    *certificate*) advice="The store's certificate is not trusted, or has expired: pulumi config set --path backup.repositories.<name>.ca <PEM>" ;;
  esac
  printf '%s\n' "${text:0:900}${advice:+ $advice}"
}
