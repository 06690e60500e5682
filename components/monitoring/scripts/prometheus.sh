#!/bin/sh
# Runs Prometheus, and has it read its configuration and the alerts again when they change. Runs in its image: POSIX sh, as
# in busybox.
# Environment: PORT, RETENTION (days), SIZE (MB). For the tests: ROOT (before each path), PAUSE.
# Mounted: /etc/prometheus, /etc/prometheus-alerts, and /prometheus to write to.
set -u
root=${ROOT:-}
configuration=$root/etc/prometheus/prometheus.yml

sum() { cat "$configuration" "$root"/etc/prometheus-alerts/*.yaml 2>/dev/null | cksum; }

read_last=$(sum)
prometheus --config.file="$configuration" --storage.tsdb.path="$root/prometheus" \
  --storage.tsdb.retention.time="${RETENTION}d" --storage.tsdb.retention.size="${SIZE}MB" \
  --web.listen-address=":$PORT" --log.level=warn &
child=$!
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 143' TERM INT
while kill -0 "$child" 2>/dev/null; do
  sleep "${PAUSE:-15}" &
  wait $!
  now=$(sum)
  if [ "$now" != "$read_last" ]; then
    read_last=$now
    echo "prometheus: its configuration has changed"
    # What is wrong with the new one, it says itself, and goes on with the old one.
    kill -HUP "$child"
  fi
done
wait "$child"
