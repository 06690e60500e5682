#!/bin/sh
# Tells whoever is configured what is wrong, once for each change. Runs in an image with curl: POSIX sh, as in busybox.
# Usage: send.sh [test [sink]]. `test` sends one message to each sink and says what came of it.
# Environment: STACK.
# Mounted: /etc/notify (sinks.tsv: name, kind, least severity, sender, receivers, chat), /etc/notify-secrets (a curl
# configuration for each sink), /run/notify (what look.sh writes) and /tmp, in memory. For the tests: ROOT (before each
# path), ROUND.
#
# Of each sink it keeps in /run/notify what was sent (sent.<sink>), when it was tried (times.<sink>, tried.<sink>), and while
# it cannot be reached a complaint (failing.<sink>, whose time is that of the first failure) and the pause before the next
# attempt (pause.<sink>).
set -u
# Process 1 ignores a signal that it has no handler for.
trap 'exit 143' TERM INT
root=${ROOT:-}
state=$root/run/notify
files=$root/etc/notify
tmp=$root/tmp
here=${0%/*}
tab=$(printf '\t')

# Seconds between two rounds, between two messages to one sink, between two attempts after a failure at first and at most,
# between two requests of a heartbeat, and after which a look is old.
round=${ROUND:-3}
apart=60
again=30
latest=900
beat=60
fresh=60
# Attempts to tell one sink in an hour, whatever comes and goes; and if something grave is new. A receiver that takes a
# message and does not say so gets it once more, so that attempts are counted, and not what is known to have arrived.
most=20
most_grave=40

uptime() { cut -d. -f1 "$root/proc/uptime" 2>/dev/null || cut -d. -f1 /proc/uptime; }

# curled <sink> <kind> <curl's arguments>: one request by the sink's configuration. No configuration of anybody else's (-q), no
# other protocol, no redirection. The answer is of no interest and could repeat a secret, and so could an address in curl's
# words.
curled() {
  sink=$1 how=$2
  shift 2
  if [ ! -s "$root/etc/notify-secrets/$sink.conf" ]; then
    echo "the Secret postgres-notify has no $sink.conf yet"
    return 1
  fi
  if answer=$(curl -q --config "$root/etc/notify-secrets/$sink.conf" --silent --show-error --fail --connect-timeout 10 \
    --max-time 60 --output /dev/null --write-out '%{http_code}' --proto '=http,https,smtp,smtps' "$@" 2>"$tmp/errors"); then
    case $how:$answer in mail:* | *:2??) return 0 ;; esac
    echo "the answer is $answer, and not that it was taken"
    return 1
  fi
  head -n 1 "$tmp/errors" | sed 's#[A-Za-z]*://[^ ]*#(the address)#g'
  return 1
}

# deliver <sink> <kind> <sender> <receivers> <chat> <sent> <findings> <all>: one message.
deliver() {
  to=$1 kind=$2 sender=$3 receivers=$4 chat=$5 sent=$6 findings=$7 all=$8
  message() {
    awk -F '\t' -v stack="$STACK" -v all="$all" -v form="$1" -v chat="$chat" -v from="$sender" -v to="$receivers" \
      -v date="$(date -u '+%a, %d %b %Y %H:%M:%S +0000')" -v id="$(date +%s).$$.$to@${sender#*@}" \
      -f "$here/message.awk" part=sent "$sent" part=findings "$findings"
  }
  case $kind in
    mail)
      message mail >"$tmp/message" && curled "$to" mail --crlf --upload-file - <"$tmp/message"
      ;;
    ntfy)
      message text >"$tmp/message" || return 1
      priority=3
      if grep -q '^critical' "$findings"; then priority=5; fi
      # A header takes no other letters, and ends with its line.
      curled "$to" ntfy --header "Title: $(message subject | tr -cd '\40-\176')" --header "Priority: $priority" \
        --data-binary "@$tmp/message"
      ;;
    slack | telegram | webhook)
      message "$kind" >"$tmp/message" &&
        curled "$to" "$kind" --header 'Content-Type: application/json' --data-binary "@$tmp/message"
      ;;
    heartbeat) curled "$to" heartbeat ;;
  esac
}

# complain <sink> <words>: once for each reason, and from when on.
complain() {
  if [ "$(cat "$state/failing.$1" 2>/dev/null)" = "$2" ]; then return 0; fi
  # Written again, it keeps the time of the first failure for the probe.
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
  rm -f "$state/pause.$1"
  if [ ! -e "$state/failing.$1" ]; then return 0; fi
  echo "send: $1: it works again"
  rm -f "$state/failing.$1" "$state/failed.$1"
}

# due <sink> <now> <seconds>: whether as much time has passed since the last attempt, or after a failure its own pause.
due() {
  last=$(cat "$state/tried.$1" 2>/dev/null) || last=
  wait=$(cat "$state/pause.$1" 2>/dev/null) || wait=
  [ -z "$last" ] || [ $(($2 - last)) -ge "${wait:-$3}" ]
}

# attempt <sink> <now> <deliver's other arguments>: notes it first: without a note there would be no end of attempts.
attempt() {
  name=$1
  echo "$2" >"$state/tried.$name" || return 1
  shift 2
  if words=$(deliver "$name" "$@"); then
    works "$name"
  else
    wait=$(cat "$state/pause.$name" 2>/dev/null) || wait=
    wait=$((${wait:-$((again / 2))} * 2))
    if [ "$wait" -gt "$latest" ]; then wait=$latest; fi
    # Nobody minds one more of these, and somebody waits for them.
    if [ "$1" = heartbeat ]; then wait=$again; fi
    echo "$wait" >"$state/pause.$name"
    complain "$name" "${words:-it ended without a word}"
    return 1
  fi
}

# tell <sink> <kind> <least> <sender> <receivers> <chat>: a message, if something has changed since the last one.
tell() {
  now=$(uptime)
  sent=$state/sent.$1
  [ -e "$sent" ] || : >"$sent" || return 0
  awk -F '\t' -v least="$3" '$1 == "critical" || least == "warning"' "$state/findings" >"$tmp/findings" || return 0
  awk -F '\t' -v OFS='\t' '{ print $2, $3, $4, $7 }' "$tmp/findings" >"$tmp/now" || return 0
  # Words have figures in them, which change all the time.
  cut -f1,2 "$tmp/now" | sort >"$tmp/now.keys" && cut -f1,2 "$sent" | sort >"$tmp/sent.keys" || return 0
  if cmp -s "$tmp/now.keys" "$tmp/sent.keys"; then
    # Nothing is owed any more.
    rm -f "$state/failing.$1" "$state/failed.$1" "$state/pause.$1"
    return 0
  fi
  due "$1" "$now" "$apart" || return 0
  limit=$most
  if awk -F '\t' 'part == "sent" { sent[$1, $2] } part == "findings" && $1 == "critical" && !(($2, $3) in sent) { grave = 1 }
    END { exit !grave }' part=sent "$sent" part=findings "$tmp/findings"; then limit=$most_grave; fi
  # Those of the last hour.
  touch "$state/times.$1"
  awk -v now="$now" '$1 > now - 3600' "$state/times.$1" >"$tmp/times" || return 0
  if [ "$(wc -l <"$tmp/times")" -ge "$limit" ]; then return 0; fi
  echo "$now" >>"$tmp/times" && cp "$tmp/times" "$state/times.$1" || return 0
  if attempt "$1" "$now" "$2" "$4" "$5" "$6" "$sent" "$tmp/findings" "$(wc -l <"$state/findings")"; then
    cp "$tmp/now" "$sent.new" && mv -f "$sent.new" "$sent"
    echo "send: $1: told of $(wc -l <"$tmp/now" | tr -d ' ') that are wrong"
  fi
}

# live <sink>: says that the database is watched, as long as it is.
live() {
  now=$(uptime)
  due "$1" "$now" "$beat" || return 0
  looked=$(date -r "$state/looked" +%s 2>/dev/null) || return 0
  age=$(($(date +%s) - looked))
  if [ "$age" -gt "$fresh" ] || [ "$age" -lt "-$fresh" ]; then return 0; fi
  attempt "$1" "$now" heartbeat - - - /dev/null /dev/null 0
}

# serve <a line of sinks.tsv>: one sink, until the container ends. Each has its own process: none waits for another one.
serve() {
  name=$1 kind=$2 least=$3 sender=$4 receivers=$5 chat=$6
  tmp=$tmp/$name
  mkdir -p "$tmp"
  while true; do
    if [ "$kind" = heartbeat ]; then
      live "$name"
    elif [ -e "$state/findings" ]; then
      tell "$name" "$kind" "$least" "$sender" "$receivers" "$chat"
    fi
    sleep "$round"
  done
}

# try [sink]: one message to each, whatever is wrong.
try() {
  failed=0 tried=0
  tmp=$(mktemp -d "$tmp/test.XXXXXX")
  printf 'warning\ttest\t\tthis is a test: a message about the database would look like this\tnothing is to be done\tdocs/notifications.md\ttest\n' \
    >"$tmp/findings"
  : >"$tmp/sent"
  while IFS=$tab read -r name kind least sender receivers chat; do
    if [ -n "${1:-}" ] && [ "$1" != "$name" ]; then continue; fi
    tried=$((tried + 1))
    if words=$(deliver "$name" "$kind" "$sender" "$receivers" "$chat" "$tmp/sent" "$tmp/findings" 1 </dev/null); then
      echo "$name ($kind): sent"
      works "$name" >/dev/null
    else
      echo "$name ($kind): not sent: $words"
      failed=1
    fi
  done <"$files/sinks.tsv"
  rm -rf "$tmp"
  if [ "$tried" = 0 ]; then
    echo "the sink ${1:-} is not configured. Sinks: $(cut -f1 "$files/sinks.tsv" | tr '\n' ' ')"
    return 1
  fi
  return "$failed"
}

if [ "${1:-}" = test ]; then
  try "${2:-}"
  exit
fi
children=
# shellcheck disable=SC2086 # several numbers
trap 'kill $children; exit 143' TERM INT
while IFS=$tab read -r name kind least sender receivers chat; do
  serve "$name" "$kind" "$least" "$sender" "$receivers" "$chat" </dev/null &
  children="$children $!"
done <"$files/sinks.tsv"
while true; do
  touch "$state/sending"
  for child in $children; do
    if ! kill -0 "$child" 2>/dev/null; then
      echo "send: what serves one of the sinks has ended; starting all of them again"
      # shellcheck disable=SC2086 # several numbers
      kill $children 2>/dev/null
      exit 1
    fi
  done
  sleep "$round" &
  wait $!
done
