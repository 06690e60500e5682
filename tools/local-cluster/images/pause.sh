#!/bin/bash
# The only layer of the image that holds a pod's namespaces: Kubernetes' own `pause`, as a tar.
# Usage: pause.sh OUT.tar WORK_FOLDER KUBERNETES_SOURCES VERSION
set -euo pipefail
mkdir "$2/rootfs"
gcc -static -Os -s -DVERSION="$4" -o "$2/rootfs/pause" "$3/build/pause/linux/pause.c"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$2/rootfs" -cf "$1" .
