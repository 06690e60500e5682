#!/bin/bash
# What this image lacks of what a backup says that its database has: one line, or nothing. What the backup is annotated
# with comes in (agent.sh): lines `extensions: <database>:<extension>=<version>,…;…` (extensions.sql), `image: <name>`.
# Run by restore-database.sh in the server's image.
# Environment, for the tests: SHARE (where the image's extensions are). Default: as initdb says.
set -uo pipefail
share=${SHARE:-$(initdb --show -D /nonexistent 2>&1 | sed -n 's/^share_path=//p')}
extensions= image=
while IFS= read -r line; do
  case $line in
    extensions:\ *) extensions=${line#*: } ;;
    image:\ *) image=${line#*: } ;;
  esac
done
[ -d "$share/extension" ] && [ -n "$extensions" ] || exit 0

lacks=()
IFS=';' read -r -a databases <<<"$extensions"
for database in "${databases[@]}"; do
  IFS=, read -r -a entries <<<"${database#*:}"
  for entry in "${entries[@]}"; do
    name=${entry%%=*} version=${entry#*=}
    # Other names are not those of files.
    [[ $name =~ ^[A-Za-z0-9_+-]+$ ]] || continue
    control=$share/extension/$name.control
    if [ ! -e "$control" ]; then
      lacks+=("extension $name $version of database ${database%%:*} is not in it")
      continue
    fi
    has=$(sed -nE "s/^ *default_version *= *'([^']*)'.*/\1/p" "$control" | head -n 1)
    # A newer one goes on with the older version's objects, until they are updated: docs/upgrades.md.
    if [ -n "$has" ] && [ "$has" != "$version" ] && [ "$(printf '%s\n' "$has" "$version" | sort -V | head -n 1)" = "$has" ]; then
      lacks+=("database ${database%%:*} has $name $version, and it has $name $has")
    fi
  done
done
[ ${#lacks[@]} -gt 0 ] || exit 0
words=$(printf '%s; ' "${lacks[@]}")
echo "${words%; }. What uses them fails. The backup was made with $image: pulumi config set --path database.image $image"
