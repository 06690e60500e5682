#!/bin/bash
# The lowest layer of the stand-in images: Debian bookworm's essential packages, the C++ library that PostgreSQL's ICU
# needs, and openssl, which the official image has too, as a tar.
# Usage: base.sh OUT.tar
set -euo pipefail

# On Debian bookworm, the machine's own package sources; elsewhere, those that mmdebstrap knows.
sources=()
if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    if [ -s "$file" ]; then sources+=("$file"); fi
  done
fi

mmdebstrap --quiet --variant=essential --include=bash,util-linux,libstdc++6,openssl --format=tar \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='echo "postgres:x:999:" >>"$1/etc/group"' \
  --customize-hook='echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >>"$1/etc/passwd"' \
  bookworm "$1" "${sources[@]}"
