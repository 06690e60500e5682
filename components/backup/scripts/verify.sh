# Part of the agent: whether a repository holds whole what a restore needs. `pgbackrest verify` reads every object and
# compares checksums; it says so in its log alone, ends with 0 all the same, and does not name each object. Not part of it:
# whether the WAL is unbroken.
# Environment: as repositories.sh.

# get_object <path>: an object of repository $number, decrypted.
get_object() { pgbackrest --stanza="$STANZA" --repo="$number" repo-get "$1" 2>/dev/null; }

# verified: what `pgbackrest verify` finds in repository $number, a line each.
verified() {
  local said status
  # It would wait 15 s before it reads again what it cannot decrypt. Everything found is looked for twice instead.
  said=$(pgbackrest --stanza="$STANZA" --repo="$number" --job-retry=0 --log-level-console=detail --output=none verify 2>&1)
  status=$?
  # Of a whole repository it says when it begins and ends, and how far each archive reaches. What is being written or
  # removed at the moment is not damage.
  sed -nE 's/^[0-9: .-]+ P[0-9]+ +(INFO|DETAIL|WARN|ERROR): //p' <<<"$said" | sed -E '
    /^verify command (begin|end)/d
    /^archiveId: .*, wal start: /d
    /^stanza: /d
    /^known hosts match found /d
    /^libssh2 read .* succeeded$/d
    /^duplicate WAL .*, skipping$/d
    / appears to be in progress, skipping$/d
    /^statistics: /d
    / does not contain any valid WAL to be processed$/d
    s/: \[[0-9]+\] raised from local-[0-9]+ protocol//' | tr -cd '[:print:]\n' | sort -u
  [ "$status" = 0 ] || echo "pgbackrest verify ended with $status"
}

# unreadable: objects that cannot be read, or differ from their copy, of those that pgBackRest may leave unnamed: files about
# the repository and about its backups, and the oldest segment, which it reads before the others.
unreadable() {
  local file pair oldest
  oldest=$(grep -E '/[0-9A-F]{24}-' <<<"$archived" | sort | head -n 1)
  for file in ${oldest:+"archive/$STANZA/$oldest"}; do
    get_object "$file" >/dev/null || echo "$file cannot be read"
  done
  for file in archive/"$STANZA"/archive.info backup/"$STANZA"/backup.info $labels; do
    case $file in archive/* | backup/*) ;; *) file=backup/$STANZA/$file/backup.manifest ;; esac
    pair=
    if ! get_object "$file" >"$scratch.one"; then pair=no && echo "$file is missing, or cannot be read"; fi
    if ! get_object "$file.copy" >"$scratch.two"; then pair=no && echo "$file.copy is missing, or cannot be read"; fi
    [ -n "$pair" ] || cmp -s "$scratch.one" "$scratch.two" || echo "$file or $file.copy is damaged: they differ"
  done
}

# texts: histories of timelines and labels of backups in the archive, which pgBackRest does not read. Each is a few lines.
texts() {
  local file
  while read -r file; do
    [ -n "$file" ] || continue
    if ! get_object "archive/$STANZA/$file" >"$scratch.one"; then
      echo "archive/$STANZA/$file cannot be read"
    # A decrypted object that was damaged is not text.
    elif [ ! -s "$scratch.one" ] || LC_ALL=C grep -q '[^[:print:][:space:]]' "$scratch.one"; then
      echo "archive/$STANZA/$file is damaged"
    fi
  done < <(grep -E '\.(history|backup)$' <<<"$archived")
}

# number_of <segment or LSN>: its segment's number; 256 segments of 16 MiB are one of the LSN's first part.
number_of() {
  case $1 in
    */*) segment_number=$((16#${1%/*} * 256 + (16#${1#*/} >> 24))) ;;
    *) segment_number=$((16#${1:8:8} * 256 + 16#${1:16:8})) ;;
  esac
}

# gaps <first> <last>: segments that are not there, by numbers; `timeline_of` says on which timeline each is.
gaps() {
  local n segment from='' to=''
  for ((n = $1; n <= $2; n++)); do
    timeline_of "$n"
    printf -v segment '%08X%08X%08X' "$timeline" $((n / 256)) $((n % 256))
    if [ -z "${have[$segment]:-}" ]; then
      from=${from:-$segment} to=$segment
      continue
    fi
    [ -z "$from" ] || echo "WAL $from to $to is missing"
    from=
  done
  [ -z "$from" ] || echo "WAL $from to $to is missing"
}

# unbroken: gaps in the WAL from the oldest backup to the newest segment along the newest timeline, and within each backup.
unbroken() {
  local segment file newest=0 last=0 first='' start stop name
  local -A have=()
  local -a ends=() on=()
  while read -r segment; do
    have[$segment]=yes
  done < <(grep -oE '/[0-9A-F]{24}-' <<<"$archived" | tr -d '/-')
  for segment in "${!have[@]}"; do
    if ((16#${segment:0:8} > newest)); then newest=$((16#${segment:0:8})) last=0; fi
    ((16#${segment:0:8} == newest)) || continue
    number_of "$segment"
    ((segment_number <= last)) || last=$segment_number
  done
  # Where each timeline was left: "1<tab>0/5000098<tab>why".
  printf -v name '%08X.history' "$newest"
  file=$(grep -F "/$name" <<<"$archived" | head -n 1)
  if ((newest > 1)) && [ -z "$file" ]; then echo "$name, the history of the newest timeline, is missing"; fi
  while read -r start stop _; do
    [[ $start =~ ^[0-9]+$ && $stop =~ ^[0-9A-F]+/[0-9A-F]+$ ]] || continue
    number_of "$stop"
    on+=("$start") ends+=("$segment_number")
  done < <([ -z "$file" ] || get_object "archive/$STANZA/$file")
  along() {
    local i
    timeline=$newest
    for i in "${!on[@]}"; do ((n < ends[i])) && timeline=${on[i]} && break; done
  }
  while read -r start stop; do
    [ -n "$start" ] || continue
    timeline_of() { timeline=$((16#${start:0:8})); }
    number_of "$start" && from=$segment_number && number_of "$stop"
    gaps "$from" "$segment_number"
    n=$from && along
    if ((timeline == 16#${start:0:8})) && { [ -z "$first" ] || ((from < first)); }; then first=$from; fi
  done <<<"$spans"
  timeline_of() { along; }
  [ -z "$first" ] || gaps "$first" "$last"
}

# findings: what is wrong with repository $number, a line each, of a damaged object its name.
findings() {
  local archived labels spans from segment_number timeline n scratch=/tmp/verify
  local information
  archived=$(pgbackrest --stanza="$STANZA" --repo="$number" repo-ls --recurse --filter='(\.history|\.backup|-[0-9a-f]{40}(\.[a-z0-9]+)?)$' "archive/$STANZA" 2>&1) ||
    { echo "the archive cannot be listed: $(tail -n 1 <<<"$archived")" && return; }
  information=$(pgbackrest --stanza="$STANZA" --repo="$number" info 2>&1) ||
    { echo "the backups cannot be listed: $(tail -n 1 <<<"$information")" && return; }
  labels=$(sed -nE 's/^ +(full|incr|diff) backup: (\S+)$/\2/p' <<<"$information")
  spans=$(sed -nE 's,^ +wal start/stop: (\S+) / (\S+)$,\1 \2,p' <<<"$information")
  verified >"$scratch.said"
  cat "$scratch.said"
  # It may have left the object unnamed, or stopped there.
  [ ! -s "$scratch.said" ] || unreadable
  texts
  unbroken
}

# verify <number>: what is wrong with a repository, into <request>.file; empty: nothing.
verify() {
  local number=$1 file=$handover/verify.file
  [ -z "${objections[number]:-}" ] || { words=${objections[number]} && return 2; }
  findings | sort -u >"$file.new"
  # What comes and goes while it is read is not damaged. What is, is so twice.
  if [ -s "$file.new" ]; then
    findings | sort -u >"$file.again"
    comm -12 "$file.new" "$file.again" >"$file.both" && mv "$file.both" "$file.new"
    rm -f "$file.again"
  fi
  mv "$file.new" "$file"
}
