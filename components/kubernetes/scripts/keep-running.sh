#!/bin/bash
# Process 1 of a container whose script must always run: `keep-running.sh <script> <heartbeat> [<pause>]`. Restarts a
# script that ends, or that has not touched the file <heartbeat> in two pauses of 30 s. The container itself never ends
# for it: restarting a container makes the whole pod unready, and a healthy server next to it would lose its clients.
#
# Like stoppable.sh, which says why, it substitutes no command.
trap 'exit 143' INT TERM

pause=${3:-30}
missed=0
while true; do
  # In its own session, to be ended with all its processes.
  setsid bash "$1" &
  script=$!
  while true; do
    touch "$2.watched"
    sleep $pause &
    # Ends with the script, or with the pause.
    wait -n $script $!
    status=$?
    kill -0 $script 2>/dev/null || break
    # Two checks in a row without a beat in between.
    if [ "$2" -nt "$2.watched" ]; then missed=0; else missed=$((missed + 1)); fi
    if [ "$missed" -ge 2 ]; then
      echo "keep-running: $1 has given no sign of life for $((2 * pause)) s" >&2
      # A stopped process takes no other signal.
      kill -KILL -- -$script
      wait $script
      status=$?
      break
    fi
  done
  missed=0
  echo "keep-running: $1 ended with status $status; starting it again" >&2
  sleep 1 &
  wait $!
done
