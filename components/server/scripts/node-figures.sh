#!/bin/bash
# What SQL cannot see of the server's node: its disk, its RAID and its certificate. One figure a line, `<name> <label>
# <value>`, separated by tabs; a figure that is not available is left out. Reads only, and needs no database: who asks for the
# status runs it too, also while the server is down. Names and units: docs/status.md.
# Mounted: the data's volume (VOLUME, /var/lib/postgresql/data), /run/tls if there is TLS, /run/reconcile. For the tests:
# ROOT (before each path).
set -uo pipefail
root=${ROOT:-}
volume=$root${VOLUME:-/var/lib/postgresql/data}

figure() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

# disk: a share that hangs is left out.
disk() {
  local size free files left
  read -r size free files left < <(timeout 5 df -B1 --output=size,avail,itotal,iavail "$volume" 2>/dev/null | tail -n 1)
  [[ ${size:-} =~ ^[1-9][0-9]*$ && ${free:-} =~ ^[0-9]+$ ]] || return 0
  figure disk_size_bytes '' "$size"
  figure disk_free_bytes '' "$free"
  # Of those that the server may use: what is kept for root is not.
  figure disk_free_ratio '' "$(awk -v free="$free" -v size="$size" 'BEGIN { printf "%.4f", free / size }')"
  # Some file systems count no files: btrfs says 0, NFS of some servers "-".
  if [[ ${files:-} =~ ^[1-9][0-9]*$ && ${left:-} =~ ^[0-9]+$ ]]; then
    figure disk_files_free_ratio '' "$(awk -v left="$left" -v files="$files" 'BEGIN { printf "%.4f", left / files }')"
  fi
}

# read_only: whether nothing can be written to the disk, as after an error of its file system. The line of the mount that
# holds the volume is the last one with the longest mount point; its fields: proc_pid_mountinfo(5). A container may mount
# a volume for reading only (field 6); the file system's own options come last. Since Linux 6.15, ext4 says `emergency_ro`
# after an error, and still `rw`.
read_only() {
  local options
  options=$(awk -v volume="${VOLUME:-/var/lib/postgresql/data}" '
    { point = $5; gsub(/\\040/, " ", point) }
    point == volume || point == "/" || index(volume "/", point "/") == 1 {
      if (length(point) >= longest) { longest = length(point); options = $NF }
    }
    END { print options }' "$root/proc/self/mountinfo" 2>/dev/null) || return 0
  [ -n "$options" ] || return 0
  if [[ ,$options, =~ ,(ro|emergency_ro), ]]; then figure disk_read_only '' 1; else figure disk_read_only '' 0; fi
}

# raid: of each array of the Linux kernel, the devices that are missing. One that could not be started has none.
# Format: md(4) and drivers/md/md.c, md_seq_show: `[2/1]` is of two, one works; a RAID 0 has no such field, and no spare.
# A container of metadata that is not Linux's, such as Intel's (`external:imsm`), is never started: its arrays are, which
# say `external:/md127/0`.
raid() {
  [ -r "$root/proc/mdstat" ] || return 0
  awk '
    function unstarted() { if (idle != "") printf "raid_missing_devices\t%s\t1\n", idle; idle = "" }
    /^md[^ ]* : / { unstarted(); if ($3 == "inactive") { idle = $1; array = "" } else array = $1 }
    /super external:[a-z]/ { idle = "" }
    array != "" && match($0, /\[[0-9]+\/[0-9]+\]/) {
      split(substr($0, RSTART + 1, RLENGTH - 2), count, "/")
      printf "raid_missing_devices\t%s\t%d\n", array, count[1] - count[2]
      array = ""
    }
    END { unstarted() }' "$root/proc/mdstat"
}

# certificate: how long it is valid, and how long ago it should have been renewed: with a third of its time left, as here
# and with cert-manager, or 30 days of a long one. A day's patience is whoever's who looks.
certificate() {
  local file=$root/run/tls/current/tls.crt now begin end
  [ -e "$root/run/tls" ] || return 0
  if [ -s "$root/run/tls/problem" ]; then figure certificate_refused '' 1; else figure certificate_refused '' 0; fi
  [ -s "$file" ] || return 0
  begin=$(openssl x509 -noout -startdate -in "$file" 2>/dev/null | cut -d= -f2-) &&
    end=$(openssl x509 -noout -enddate -in "$file" 2>/dev/null | cut -d= -f2-) &&
    begin=$(date -u -d "$begin" +%s 2>/dev/null) && end=$(date -u -d "$end" +%s 2>/dev/null) || return 0
  now=$(date +%s)
  figure certificate_left_seconds '' $((end - now))
  local renew=$(((end - begin) / 3))
  [ "$renew" -lt $((30 * 24 * 3600)) ] || renew=$((30 * 24 * 3600))
  figure certificate_overdue_seconds '' $((renew - (end - now)))
}

# refused <name> <label> <file>: whether there is a complaint in the file.
refused() {
  if [ -s "$root/run/reconcile/$3" ]; then figure "$1" "$2" 1; else figure "$1" "$2" 0; fi
}

# configuration: whether PostgreSQL runs without what is deployed, in whole (last-started.sh) or, after a reload, in part
# (read-back.sh); and whether a Secret has not been taken up (reconcile.sh, reconcile-logins.sh).
configuration() {
  refused configuration_refused '' refused-configuration
  refused settings_refused '' refused-settings
  refused credentials_refused postgres-secret refused-credentials
  refused credentials_refused postgres-logins refused-logins
}

disk
read_only
raid
certificate
configuration
