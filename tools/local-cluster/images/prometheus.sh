#!/bin/bash
# The stand-in for the images with postgres_exporter and with Prometheus: Debian trixie's essential packages and both, as a
# tar. Bookworm's exporter is too old for PostgreSQL 16.
# Usage: prometheus.sh OUT.tar WORK_FOLDER
set -euo pipefail

# On Debian, the machine's own mirror; elsewhere, the one that mmdebstrap knows.
sources=()
mirror=$({ sed -n 's/^URIs: *\(\S*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\(\S*\) \S* main.*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | head -n 1)
if grep -q '^ID=debian' /etc/os-release && [ -n "$mirror" ]; then
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$2/trixie.list"
  sources=("$2/trixie.list")
fi

# Under the names that the official images have, which run these programs by themselves.
mmdebstrap --quiet --variant=essential --include=bash,ca-certificates,prometheus,prometheus-postgres-exporter \
  --format=tar \
  --aptopt='Acquire::Languages "none"' \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='ln -s /usr/bin/prometheus-postgres-exporter "$1/usr/bin/postgres_exporter"' \
  trixie "$1" "${sources[@]}"
