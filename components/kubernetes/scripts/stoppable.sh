#!/bin/bash
# Process 1 of a container that runs a bash script: `stoppable.sh <script>`. Ends with the script and its status or,
# when told to stop, at once and with everything in the container.
#
# The script cannot do this itself. Process 1 ignores a signal it has no handler for, and bash loses a SIGINT, the
# image's stop signal, that comes during a command substitution: about one in fifteen with 5.2.15, mostly silently, else
# with "trap: unexpected EOF while looking for matching `)'". The pod would then hang until its grace period is over. So
# process 1 only waits, and substitutes no command.
trap 'exit 143' INT TERM

bash "$1" &
wait $!
