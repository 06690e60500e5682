#!/bin/bash
# The stand-in for the images with pgBackRest, with rclone and with curl: Debian trixie's essential packages and all three,
# as a tar.
# Bookworm's pgBackRest is too old for PostgreSQL 16.
# Usage: pgbackrest.sh OUT.tar WORK_FOLDER
set -euo pipefail

# On Debian, the machine's own mirror; elsewhere, the one that mmdebstrap knows.
sources=()
mirror=$({ sed -n 's/^URIs: *\(\S*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\(\S*\) \S* main.*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | head -n 1)
if grep -q '^ID=debian' /etc/os-release && [ -n "$mirror" ]; then
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$2/trixie.list"
  sources=("$2/trixie.list")
fi

mmdebstrap --quiet --variant=essential --include=bash,ca-certificates,curl,pgbackrest,rclone --format=tar \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  trixie "$1" "${sources[@]}"
