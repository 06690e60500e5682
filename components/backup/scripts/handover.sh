# Part of what asks the backup agent and of the agent itself: how they talk. The server's image has no pgBackRest, and the
# agent runs in a pod of its own, so that nothing about backups can keep the server from starting or stopping. What they
# share is the volume; they talk through files in its folder handover:
#   <request>.wanted    asked for. Its first line is a word that no other request has, the others are arguments
#   <request>.done      done; holds that word, as an answer to an earlier request of the same name does not count
#   <request>.missing   there is no such thing; holds that word
#   <request>.error     why the last attempt failed. The agent goes on trying while the request stands
# Environment: VOLUME (the mounted directory).
handover=$VOLUME/handover

# put <file> <line>…: writes a file at once.
put() {
  local file=$1
  shift
  printf '%s\n' "$@" >"$file.$$.new" && mv -f "$file.$$.new" "$file"
}

# ask <request> <argument>…: asks the agent; `word` is this request's.
ask() {
  local request=$handover/$1
  shift
  word=$$-$RANDOM$RANDOM-$EPOCHREALTIME
  mkdir -p -m 0700 "$handover"
  rm -f "$request".{done,missing,error}
  put "$request.wanted" "$word" "$@"
}

# answered <request> <done|missing>: whether the agent has given this answer to the request.
answered() {
  local said=
  { read -r said <"$handover/$1.$2"; } 2>/dev/null
  [ "$said" = "$word" ]
}

# withdraw <request>: nobody waits for it any more.
withdraw() { rm -f "$handover/$1".{wanted,done,missing,error}; }

# complaint <request>: the agent's words about its last attempt, in one line.
complaint() {
  if [ -s "$handover/$1.error" ]; then
    tr -s '\n ' ' ' <"$handover/$1.error"
  else
    echo "the backup agent does not answer: kubectl -n transcript-pipeline get pod postgres-backup-0"
  fi
}
