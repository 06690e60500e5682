#!/bin/bash
# Waits until the container next to the server has a certificate for it: `prepare-certificate.sh <seconds>`. Without one,
# PostgreSQL would not start with `ssl`, and nothing about certificates may keep it from starting: after that time, it
# gets one that clients which verify it refuse, until the right one replaces it.
set -uo pipefail
umask 077

published=/run/tls
say() { echo "certificate: $*" >&2; }

command -v openssl >/dev/null || {
  say "the image has no openssl, which makes the server's certificate. Use the official image, or: pulumi config set --path tls.source none"
  exit 1
}
end=$((SECONDS + $1))
while [ ! -s "$published/current/tls.crt" ]; do
  if [ "$SECONDS" -ge "$end" ]; then
    rm -rf "$published/stopgap.new"
    mkdir "$published/stopgap.new" &&
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=no certificate yet" \
        -keyout "$published/stopgap.new/tls.key" -out "$published/stopgap.new/tls.crt" 2>"$published/stopgap.said" || {
      cat "$published/stopgap.said" >&2
      exit 1
    }
    rm -f "$published/stopgap.said"
    mv -T "$published/stopgap.new" "$published/stopgap.$$" || exit 1
    # Never over one that has come meanwhile.
    ln -s "stopgap.$$" "$published/current" 2>/dev/null || continue
    [ "$1" = 0 ] || say "there is no certificate for the server after $1 s: it starts with one that clients which verify it refuse. See the log of the container certificate; docs/tls.md"
    break
  fi
  sleep 0.1
done
