#!/bin/bash
# The lowest layer of the test machines that run Python programs: Debian bookworm's Python 3.11, as a tar.
# Usage: python.sh OUT.tar
set -euo pipefail

# On Debian bookworm, the machine's own package sources; elsewhere, those that mmdebstrap knows.
sources=()
if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    if [ -s "$file" ]; then sources+=("$file"); fi
  done
fi

mmdebstrap --quiet --variant=essential --include=python3,ca-certificates --format=tar \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  bookworm "$1" "${sources[@]}"
