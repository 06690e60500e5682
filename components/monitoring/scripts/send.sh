#!/bin/sh
# Tells whoever is configured what is wrong, once for each change. Runs in an image with curl: POSIX sh, as in busybox.
# Usage: send.sh [test [sink]]. `test` sends one message to each sink and says what came of it.
# Environment: STACK.
# Mounted: /etc/notify (sinks.tsv: name, kind, least severity, sender, receivers, chat), /etc/notify-secrets (a curl
# configuration for each sink), /run/notify (what look.sh writes) and /tmp, in memory. For the tests: ROOT (before each
# path), ROUND.
#
# Of each sink it keeps in /run/notify what was sent (sent.<sink>), when (times.<sink>), and a complaint while it cannot be
# reached (failing.<sink>, whose time is that of the first failure).
set -u
# Process 1 ignores a signal that it has no handler for.
trap 'exit 143' TERM INT
root=${ROOT:-}
state=$root/run/notify
files=$root/etc/notify
tmp=$root/tmp
here=${0%/*}
tab=$(printf '\t')

# Seconds between two rounds, between two messages to one sink, between two attempts after a failure, between two requests
# of a heartbeat, and after which a look is old. Messages to one sink in an hour, whatever comes and goes.
round=${ROUND:-3}
apart=60
again=30
beat=60
fresh=60
most=20

uptime() { cut -d. -f1 "$root/proc/uptime" 2>/dev/null || cut -d. -f1 /proc/uptime; }

# curled <sink> <curl's arguments>: one request by the sink's configuration. No configuration of anybody else's (-q), no
# other protocol, no redirection; the answer is of no interest, and could repeat a secret.
curled() {
  sink=$1
  shift
  if [ ! -s "$root/etc/notify-secrets/$sink.conf" ]; then
    echo "the Secret postgres-notify has no $sink.conf yet"
    return 1
  fi
  curl -q --config "$root/etc/notify-secrets/$sink.conf" --silent --show-error --fail --connect-timeout 10 --max-time 20 \
    --output /dev/null --proto '=http,https,smtp,smtps' "$@" 2>&1
}

# deliver <sink> <kind> <sender> <receivers> <chat> <sent> <findings>: one message.
deliver() {
  to=$1 kind=$2
  message() {
    awk -F '\t' -v stack="$STACK" -v form="$1" -v chat="$chat" -v from="$sender" -v to="$receivers" \
      -v date="$(date -u '+%a, %d %b %Y %H:%M:%S +0000')" -v id="$(date +%s).$$.$to@${sender#*@}" \
      -f "$here/message.awk" part=sent "$sent" part=findings "$findings"
  }
  sender=$3 receivers=$4 chat=$5 sent=$6 findings=$7
  case $kind in
    mail)
      message mail >"$tmp/message"
      curled "$to" --crlf --upload-file "$tmp/message"
      ;;
    ntfy)
      message text >"$tmp/message"
      priority=3
      if grep -q '^critical' "$findings"; then priority=5; fi
      # A header takes no other letters, and ends with its line.
      curled "$to" --header "Title: $(message subject | tr -cd '\40-\176')" --header "Priority: $priority" \
        --data-binary "@$tmp/message"
      ;;
    slack | telegram | webhook)
      message "$kind" >"$tmp/message"
      curled "$to" --header 'Content-Type: application/json' --data-binary "@$tmp/message"
      ;;
    heartbeat) curled "$to" ;;
  esac
}

# complain <sink> <words>: once for each reason, and from when on.
complain() {
  if [ "$(cat "$state/failing.$1" 2>/dev/null)" = "$2" ]; then return 0; fi
  # Written anew, it keeps the time of the first failure for the probe.
  if [ -e "$state/failing.$1" ]; then
    touch -r "$state/failing.$1" "$state/failed.$1"
    printf '%s\n' "$2" >"$state/failing.$1"
    touch -r "$state/failed.$1" "$state/failing.$1"
  else
    printf '%s\n' "$2" >"$state/failing.$1"
  fi
  echo "send: $1: $2"
}

works() {
  if [ ! -e "$state/failing.$1" ]; then return 0; fi
  echo "send: $1: it works again"
  rm -f "$state/failing.$1" "$state/failed.$1"
}

# due <sink> <now> <seconds>: whether as much time has passed since the last attempt.
due() {
  last=$(cat "$state/tried.$1" 2>/dev/null) || last=
  [ -z "$last" ] || [ $(($2 - last)) -ge "$3" ]
}

# tell <sink> <kind> <least> <sender> <receivers> <chat>: a message, if something has changed since the last one.
tell() {
  now=$(uptime)
  sent=$state/sent.$1
  [ -e "$sent" ] || : >"$sent"
  awk -F '\t' -v least="$3" '$1 == "critical" || least == "warning"' "$state/findings" >"$tmp/findings" || return 0
  awk -F '\t' -v OFS='\t' '{ print $2, $3, $4 }' "$tmp/findings" >"$tmp/now"
  # Words have figures in them, which change all the time.
  cut -f1,2 "$tmp/now" | sort >"$tmp/now.keys"
  cut -f1,2 "$sent" | sort >"$tmp/sent.keys"
  if cmp -s "$tmp/now.keys" "$tmp/sent.keys"; then return 0; fi
  if [ -e "$state/failing.$1" ]; then due "$1" "$now" "$again" || return 0; else due "$1" "$now" "$apart" || return 0; fi
  # Those of the last hour.
  touch "$state/times.$1"
  awk -v now="$now" '$1 > now - 3600' "$state/times.$1" >"$tmp/times"
  if [ "$(wc -l <"$tmp/times")" -ge "$most" ]; then return 0; fi
  echo "$now" >"$state/tried.$1"
  if words=$(deliver "$1" "$2" "$4" "$5" "$6" "$sent" "$tmp/findings"); then
    { cat "$tmp/times"; echo "$now"; } >"$state/times.$1"
    cp "$tmp/now" "$sent.new" && mv -f "$sent.new" "$sent"
    echo "send: $1: told of $(wc -l <"$tmp/now" | tr -d ' ') that are wrong"
    works "$1"
  else
    complain "$1" "$words"
  fi
}

# live <sink>: says that the database is watched, as long as it is.
live() {
  now=$(uptime)
  if [ -e "$state/failing.$1" ]; then due "$1" "$now" "$again" || return 0; else due "$1" "$now" "$beat" || return 0; fi
  looked=$(date -r "$state/looked" +%s 2>/dev/null) || return 0
  if [ $(($(date +%s) - looked)) -gt "$fresh" ]; then return 0; fi
  echo "$now" >"$state/tried.$1"
  if words=$(deliver "$1" heartbeat - - - /dev/null /dev/null); then works "$1"; else complain "$1" "$words"; fi
}

# try [sink]: one message to each, whatever is wrong.
try() {
  failed=0 tried=0
  tmp=$(mktemp -d "$tmp/test.XXXXXX")
  printf 'warning\ttest\t\tthis is a test: a message about the database would look like this\tnothing is to be done\tdocs/notifications.md\n' \
    >"$tmp/findings"
  : >"$tmp/sent"
  while IFS=$tab read -r name kind least sender receivers chat; do
    if [ -n "${1:-}" ] && [ "$1" != "$name" ]; then continue; fi
    tried=$((tried + 1))
    if words=$(deliver "$name" "$kind" "$sender" "$receivers" "$chat" "$tmp/sent" "$tmp/findings" </dev/null); then
      echo "$name ($kind): sent"
    else
      echo "$name ($kind): not sent: $words"
      failed=1
    fi
  done <"$files/sinks.tsv"
  rm -rf "$tmp"
  if [ "$tried" = 0 ]; then
    echo "there is no sink ${1:-}. There are: $(cut -f1 "$files/sinks.tsv" | tr '\n' ' ')"
    return 1
  fi
  return "$failed"
}

if [ "${1:-}" = test ]; then
  try "${2:-}"
  exit
fi
while true; do
  while IFS=$tab read -r name kind least sender receivers chat; do
    if [ "$kind" = heartbeat ]; then
      live "$name"
    elif [ -e "$state/findings" ]; then
      tell "$name" "$kind" "$least" "$sender" "$receivers" "$chat"
    fi </dev/null
  done <"$files/sinks.tsv"
  touch "$state/sending"
  sleep "$round" &
  wait $!
done
