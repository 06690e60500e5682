#!/bin/bash
# The layer that makes the dbmate image out of the PostgreSQL one, as a tar.
# Usage: dbmate.sh OUT.tar WORK_FOLDER
set -euo pipefail
cd "$2"
npm pack --silent @dbmate/linux-x64@2.36.0 >/dev/null
tar -xf dbmate-linux-x64-*.tgz
install -D -m 0755 package/bin/dbmate rootfs/usr/local/bin/dbmate
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C rootfs -cf "$1" .
