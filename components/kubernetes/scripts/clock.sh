# Part of scripts that wait: time by a clock that nobody sets. Bash's SECONDS is the machine's: set back by an hour, it
# makes a script that waits for ten seconds wait for an hour.

# uptime: sets `uptime`, seconds since the machine was started.
uptime() {
  local up
  read -r up _ </proc/uptime
  uptime=${up%%.*}
}
uptime
began=$uptime

# tick: sets `elapsed`, seconds since this script began.
tick() {
  uptime
  elapsed=$((uptime - began))
}
tick
