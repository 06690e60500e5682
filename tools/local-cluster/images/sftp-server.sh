#!/bin/bash
# The layer of an SFTP server, Debian trixie's openssh-server with a user `backups`, as a tar.
# Usage: sftp-server.sh OUT.tar WORK_FOLDER
set -euo pipefail

# On Debian, the machine's own mirror; elsewhere, the one that mmdebstrap knows.
sources=()
mirror=$({ sed -n 's/^URIs: *\(\S*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\(\S*\) \S* main.*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | head -n 1)
if grep -q '^ID=debian' /etc/os-release && [ -n "$mirror" ]; then
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$2/trixie.list"
  sources=("$2/trixie.list")
fi

# Its host keys are given to it.
mmdebstrap --quiet --variant=essential --include=openssh-server --format=tar \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='chroot "$1" useradd --uid 1500 --password "*" --no-create-home --home-dir / --shell /bin/sh backups' \
  --customize-hook='mkdir -p "$1/run/sshd" && rm -f "$1"/etc/ssh/ssh_host_*' \
  trixie "$1" "${sources[@]}"
