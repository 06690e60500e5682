#!/bin/sh
# Checks that this image has what the scripts and the database need, which a tag cannot say. Reads only the image,
# writes nothing. Run by the Job postgres-settings before the server changes, and by start-server.sh before it touches
# the directory. For any /bin/sh: a missing bash is one of the things it reports.
# Prints one line with all problems and exits with 1, or one line with what the image contains.
# Environment, for the tests: PASSWD (default /etc/passwd).
set -u
trap 'exit 143' INT TERM

# The major version whose data directories, settings and SQL this project knows.
major=16
# The user that owns the data directory: restrictedPod in pod-security.ts, and the peer of pg_ident.conf.
uid=999
# What sql/bootstrap creates and shared_preload_libraries names.
extensions="vector uuid-ossp pg_trgm pg_stat_statements"
# What the scripts of the server's pod and of its Jobs call.
programs="postgres initdb psql pg_isready bash flock setsid timeout find grep awk sed sync touch cat cksum readlink paste od tr sleep env openssl cmp date mktemp"

wrong=
add() { wrong="${wrong:+$wrong; }$1"; }

missing=
for program in $programs; do
  command -v "$program" >/dev/null 2>&1 || missing="${missing:+$missing, }$program"
done
[ -z "$missing" ] || add "it has no $missing"

server=$(command -v postgres 2>/dev/null || true)
version=
if [ -n "$server" ]; then
  # "postgres (PostgreSQL) 16.14 (Debian 16.14-1.pgdg12+1)"
  version=$(postgres --version 2>&1 | awk '{ print $3 }')
  case $version in
    "$major" | "$major".* | "$major"[a-z]*) ;;
    *) add "it is PostgreSQL ${version:-of an unknown version}, and this project is for PostgreSQL $major" ;;
  esac
  # The loader is named in the program itself. musl sorts text by code point whatever the collation is, and the
  # libraries of pgvector and contrib are built for one of the two.
  if grep -q ld-musl "$server" 2>/dev/null; then
    add "its C library is musl, as in Alpine's images: a collation sorts differently there, and an index of a database made with glibc would miss rows"
  fi
fi

name=$(awk -F: -v uid="$uid" '$3 == uid { print $1; exit }' "${PASSWD:-/etc/passwd}" 2>/dev/null)
if [ "$name" != postgres ]; then
  add "its user $uid is ${name:-nobody} and not postgres: the data directory belongs to $uid, and only postgres may connect over the socket"
fi

# Where the server looks for extensions, which no variable and no other program of every image says. It needs a name for
# the user that runs it: without one, which has been reported by now, nothing is reported about extensions.
share=
[ -z "$(command -v initdb 2>/dev/null || true)" ] ||
  share=$(initdb --show -D /nonexistent 2>&1 | awk -F= '$1 == "share_path" { print $2 }')
if [ -n "$share" ]; then
  without=
  for extension in $extensions; do
    [ -r "$share/extension/$extension.control" ] || without="${without:+$without, }$extension"
  done
  case $without in
    '') ;;
    vector | vector,*) add "it has no extension $without (pgvector's is called vector)" ;;
    *) add "it has no extension $without" ;;
  esac
fi

if [ -n "$wrong" ]; then
  echo "image: REFUSED: this image cannot run the database: $wrong. Nothing was written. Allowed: pgvector/pgvector:<version>-pg$major-<Debian's name>, or an image made from it: pulumi config set --path database.image <image>" >&2
  exit 1
fi

vector=$(awk -F"'" '/^default_version/ { print $2 }' "$share/extension/vector.control")
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo "a C library of unknown version")
echo "image: PostgreSQL $version, pgvector $vector, $libc" >&2
