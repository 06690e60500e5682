#!/bin/bash
# Keeps a valid certificate in /run/tls for the server next to it, in memory alone: signed here by the stack's own
# authority, or taken from a Secret that somebody else renews. What cannot be used is not published, so that the one
# before stays in force, and is reported: in the log, and in /run/tls/problem for those who look at the deployment.
# Environment: SOURCE (generated or secret), HOST (the name by which clients connect), TRUST (authority or system). For the
# tests: ROOT (before each path), LOOK (seconds between two looks at what nobody changes, 60).
# Mounted: /etc/tls (generated: the authority's tls.crt and tls.key; secret: the server's), /etc/tls-trust (ca.crt: what
# clients trust), this folder (names: of the certificate, one a line), /run/tls and /tmp (memory).
# Run by keep-running.sh, which starts it again when it ends or hangs.
set -uo pipefail
umask 077

here=${BASH_SOURCE%/*}
root=${ROOT:-}
published=$root/run/tls
mine=$root/etc/tls
trusted=$root/etc/tls-trust/ca.crt
# Seconds: how long a certificate signed here is valid, how much of that is left when it is renewed, how far it reaches
# back for clients whose clocks are late, and when somebody else's is missed in time.
valid=$((30 * 24 * 3600))
renew=$((10 * 24 * 3600))
late=3600
expires_soon=$((14 * 24 * 3600))

say() { echo "certificate: $*"; }

# said <topic> <text>: says what is wrong with the `material` for a certificate, or its `use` by the server, once until it
# changes, and keeps it where `up` looks. An empty text: nothing is.
declare -A wrong=([material]= [use]=)
said() {
  [ "${wrong[$1]}" = "$2" ] && return
  wrong[$1]=$2
  [ -z "$2" ] || say "PROBLEM: $2"
  if printf '%s\n' "${wrong[@]}" | grep . >"$published/problem.new"; then
    mv "$published/problem.new" "$published/problem"
  else
    rm -f "$published"/problem{,.new}
  fi
}

# message: openssl's complaint, in a line.
message() { sed -E 's/^[0-9A-F]{8,}:error:[^:]*:[^:]*:[^:]*:([^:]*).*/\1/' "$work/said" | grep -v '^$' | sort -u | head -n 3 | tr '\n' ' '; }

# fingerprint <certificate>
fingerprint() { openssl x509 -noout -fingerprint -sha256 -in "$1" 2>/dev/null; }

# issue <directory>: a new key, and a certificate for it.
issue() {
  local names at
  names=$(sed -E '/:|^[0-9.]+$/{s/^/IP:/;b};s/^/DNS:/' "$here/names" | paste -sd ,) || return 1
  at=$(date +%s)
  : >"$work/index.txt"
  cat >"$work/openssl.cnf" <<CONF
[ca]
default_ca = authority
[authority]
certificate = $mine/tls.crt
private_key = $mine/tls.key
new_certs_dir = $work
database = $work/index.txt
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[request]
distinguished_name = subject
[subject]
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $names
CONF
  # P-256: with Ed25519, libpq's channel binding fails.
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1/tls.key" 2>"$work/said" &&
    openssl req -new -config "$work/openssl.cnf" -key "$1/tls.key" -subj /CN=postgres -out "$work/request" 2>"$work/said" &&
    openssl ca -batch -notext -config "$work/openssl.cnf" -in "$work/request" -out "$1/tls.crt" \
      -startdate "$(date -u -d "@$((at - late))" +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "@$((at + valid))" +%Y%m%d%H%M%SZ)" \
      2>"$work/said" >&2
}

# objection <directory>: why the server or its clients could not use what is in it, or nothing.
objection() {
  local trust
  if ! openssl x509 -noout -in "$1/tls.crt" 2>"$work/said"; then
    echo "tls.crt cannot be read: $(message)"
  elif ! openssl pkey -noout -in "$1/tls.key" -passin pass: 2>"$work/said"; then
    echo "tls.key cannot be read, or has a passphrase: $(message)"
  elif ! cmp -s <(openssl x509 -noout -pubkey -in "$1/tls.crt") <(openssl pkey -pubout -in "$1/tls.key"); then
    echo "tls.key does not belong to tls.crt"
  elif openssl x509 -noout -text -in "$1/tls.crt" | grep -qiE 'Public Key Algorithm: ED(25519|448)'; then
    echo "its key is Ed25519 or Ed448, with which libpq's channel binding fails. Allowed: ECDSA or RSA"
  elif ! openssl x509 -noout -checkend 0 -in "$1/tls.crt" >/dev/null; then
    echo "tls.crt expired: $(openssl x509 -noout -enddate -in "$1/tls.crt")"
  else
    # The image need not have the roots of the clients' systems: then only the certificate itself is checked.
    trust=(-partial_chain -CAfile "$1/tls.crt")
    if [ "$TRUST" = authority ]; then
      [ -s "$trusted" ] || {
        echo "what clients trust, ca.crt, is missing"
        return
      }
      trust=(-CAfile "$trusted")
    fi
    openssl verify "${trust[@]}" -no-CApath -purpose sslserver -untrusted "$1/tls.crt" -verify_hostname "$HOST" "$1/tls.crt" >"$work/said" 2>&1 ||
      echo "clients do not accept tls.crt as $HOST: $(grep -oE 'error [0-9]+ .*' "$work/said" | head -n 1)"
  fi
}

# publish <directory>: atomically, and never a certificate with another one's key.
publish() {
  local name=certificate.$(date +%s).$RANDOM old
  mv "$1" "$published/$name" && ln -s "$name" "$published/current.new" && mv -T "$published/current.new" "$published/current" ||
    return 1
  for old in "$published"/certificate.* "$published"/stopgap.*; do
    [ "$old" = "$published/$name" ] || [ ! -d "$old" ] || rm -rf "$old"
  done
  say "certificate of $(openssl x509 -noout -issuer -enddate -in "$published/current/tls.crt" | paste -sd ' ')"
}

# served: whether the server uses what is published. It takes its files when the reconciler tells it to.
served() {
  timeout 10 openssl s_client -starttls postgres -connect 127.0.0.1:5432 </dev/null 2>/dev/null >"$work/served" &&
    [ "$(fingerprint "$work/served")" = "$(fingerprint "$published/current/tls.crt")" ]
}

# version: what the published certificate was made from.
version() { cat "$mine/tls.crt" "$mine/tls.key" "$trusted" "$here/names" 2>/dev/null | cksum; }

# take <version>: publishes what is to be used now, or says why it cannot be.
take() {
  local new=$work/new reason=
  rm -rf "$new" && mkdir "$new" || return 1
  if [ ! -s "$mine/tls.crt" ] || [ ! -s "$mine/tls.key" ]; then
    reason="the Secret with the certificate is missing, or has no tls.crt or tls.key"
  elif [ "$SOURCE" = generated ]; then
    issue "$new" || reason="no certificate could be signed: $(message)"
  else
    cp "$mine/tls.crt" "$mine/tls.key" "$new/"
  fi
  [ -n "$reason" ] || reason=$(objection "$new")
  if [ -n "$reason" ]; then
    said material "$reason. The server keeps the certificate that it has; docs/tls.md"
    return 1
  fi
  publish "$new" || return 1
  said material ""
}

# expiry: what to say of a certificate that nobody has renewed.
expiry() {
  if ! openssl x509 -noout -checkend 0 -in "$published/current/tls.crt" >/dev/null; then
    said material "the server's certificate has expired, and clients that verify it are refused: $(openssl x509 -noout -enddate -in "$published/current/tls.crt"). Renew it; docs/tls.md"
  elif ! openssl x509 -noout -checkend "$expires_soon" -in "$published/current/tls.crt" >/dev/null; then
    said material "the server's certificate expires soon, and nobody has renewed it: $(openssl x509 -noout -enddate -in "$published/current/tls.crt"); docs/tls.md"
  else
    said material ""
  fi
}

# Of one that was killed.
rm -rf "$root"/tmp/certificate.* "$published"/problem{,.new}
work=$(mktemp -d "$root/tmp/certificate.XXXXXX")
trap 'rm -rf "$work"' EXIT
own=$(cksum <"${BASH_SOURCE[0]}")
taken=
tried=
look=0
ask=0
while true; do
  touch "$published/heartbeat"
  # This script has changed: keep-running.sh starts the new one.
  [ "$(cksum <"${BASH_SOURCE[0]}" 2>/dev/null || echo "$own")" = "$own" ] || exit 0
  now=$(version)
  if [ "$now" != "$taken" ] && { [ "$now" != "$tried" ] || [ "$SECONDS" -ge "$look" ]; }; then
    tried=$now look=$((SECONDS + ${LOOK:-60}))
    if take; then taken=$now ask=$((SECONDS + 5)); fi
  elif [ "$now" = "$taken" ] && { [ "$SECONDS" -ge "$look" ] || [ "$tried" != "$now" ]; }; then
    # Also when what could not be used is as it was again.
    tried=$now look=$((SECONDS + ${LOOK:-60}))
    if [ "$SOURCE" = secret ]; then
      expiry
    elif ! openssl x509 -noout -checkend "$renew" -in "$published/current/tls.crt" >/dev/null; then
      if take; then ask=$((SECONDS + 5)); fi
    else
      said material ""
    fi
  fi
  # Each question leaves a line in the server's log, so it is asked only after a change.
  if [ "$ask" -gt 0 ] && [ "$SECONDS" -ge "$ask" ]; then
    if served; then
      ask=0
      said use ""
    elif pg_isready -q -h 127.0.0.1 -t 3; then
      ask=$((SECONDS + 30))
      said use "the server accepts connections and does not use the certificate that it was given: see its log for 'SSL'; docs/tls.md"
    else
      ask=$((SECONDS + 5))
    fi
  fi
  if [ -n "$taken" ]; then sleep 2; else sleep 0.2; fi
done
