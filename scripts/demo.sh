#!/usr/bin/env bash
# The demo beside a real Kafka broker, or in memory where none can be run:
#
#   demo.sh PROGRAM [ARGUMENT...]
#
# Ends as the program ends. The broker is stopped then, unless it ran before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BROKER=scripts/kafka/broker.sh

[ $# -ge 1 ] || {
    echo "usage: $(basename "$0") PROGRAM [ARGUMENT...]" >&2
    exit 64
}
program=$1
shift
started=

# Also when this script is told to end: the program is a process group of its own.
finish() {
    local child
    trap '' INT TERM
    for child in $(jobs -p); do
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    [ -z "$started" ] || "$BROKER" stop
}
trap finish EXIT

if scripts/setup.sh --has-kafka; then
    "$BROKER" status >/dev/null || started=yes
    "$BROKER" start
    set -- --kafka "127.0.0.1:${KAFKA_PORT:-9092}" "$@"
else
    echo "No JDK 17 with Maven here, so no real Kafka: the demo runs on the in-memory broker."
fi

# With job control the terminal is the program's: the interrupt key asks the program to end, which it does in order
# and with 0, and asks neither this script nor the make that runs it.
set -m
"$program" demo "$@"
