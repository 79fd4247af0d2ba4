#!/usr/bin/env bash
# Starts, stops or shows the local Kafka broker of `make kafka`: one node on 127.0.0.1:${KAFKA_PORT:-9092}.
# Its controller listens on the next port. Data, log and process id are under target/kafka/run and survive a stop.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

RUN=$KAFKA_HOME/run
PORT=${KAFKA_PORT:-9092}

usage() {
    say "usage: $(basename "$0") start|stop|status"
    exit 64
}

# Prints the process id of our broker if it runs. The properties file on the command line tells it from a
# stranger that was given an old process id.
running_pid() {
    local pid
    pid=$(cat "$RUN/pid" 2>/dev/null) || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$RUN/server.properties" || return 1
    echo "$pid"
}

# Says who listens on a TCP port; false if nobody does.
port_owner() {
    local inode pid
    inode=$(awk -v port="$(printf ':%04X' "$1")" \
        '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [ -n "$inode" ] || return 1
    pid=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | head -n 1 | cut -d/ -f3 || true)
    if [ -n "$pid" ]; then
        echo "process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-100 | sed 's/ *$//'))"
    else
        echo "a process of another user"
    fi
}

start() {
    [[ $PORT =~ ^[0-9]{1,5}$ ]] && [ "$PORT" -ge 1 ] && [ "$PORT" -le 65534 ] || fail "KAFKA_PORT=$PORT is not a port"
    "$KAFKA_SCRIPTS/fetch.sh"
    mkdir -p "$RUN"
    exec 8>"$RUN/lock"
    flock 8

    local pid owner port
    if pid=$(running_pid); then
        local runs_on
        runs_on=$(cat "$RUN/port")
        [ "$runs_on" = "$PORT" ] || fail "our broker already runs on 127.0.0.1:$runs_on (process $pid); stop it first: make kafka-stop"
        say "Kafka already runs on 127.0.0.1:$PORT (process $pid)"
        return
    fi
    for port in "$PORT" "$((PORT + 1))"; do
        if owner=$(port_owner "$port"); then
            fail "port $port is taken by $owner; stop it, or choose another with KAFKA_PORT=PORT (the next one is used too)"
        fi
    done

    [ -d "$RUN/data" ] || cp -r "$KAFKA_HOME/template" "$RUN/data"
    {
        cat "$KAFKA_SCRIPTS/single-node.properties"
        echo "controller.quorum.voters=1@127.0.0.1:$((PORT + 1))"
        echo "listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$((PORT + 1))"
        echo "log.dirs=$RUN/data"
    } >"$RUN/server.properties"
    rm -f "$RUN/server.log"
    # A session and a process group of its own: the interrupt key ends the demo, not the broker.
    (
        exec 8>&-
        exec setsid bash -c 'source "$1/env.sh"; java_broker "$2" -Xms256m -Xmx1g -- "$2/server.properties"' \
            bash "$KAFKA_SCRIPTS" "$RUN"
    ) >"$RUN/out.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$RUN/pid"
    echo "$PORT" >"$RUN/port"
    if ! wait_until_ready "$pid" "$RUN" 120; then
        kill -9 "$pid" 2>/dev/null || true
        tail -n 20 "$RUN/out.log" "$RUN/server.log" >&2 || true
        fail "the Kafka broker did not start; its log is $RUN/server.log"
    fi
    say "Kafka runs on 127.0.0.1:$PORT (process $pid, log $RUN/server.log); stop it with make kafka-stop"
}

stop() {
    mkdir -p "$RUN"
    exec 8>"$RUN/lock"
    flock 8
    local pid tenths=0
    if ! pid=$(running_pid); then
        say "no Kafka broker of ours runs"
        return
    fi
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$tenths" -ge 200 ]; then
            say "the broker did not stop within 20 s; it is killed"
            kill -9 "$pid"
            break
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
    rm -f "$RUN/pid"
    say "Kafka stopped (process $pid)"
}

status() {
    local pid
    if pid=$(running_pid); then
        echo "running on 127.0.0.1:$(cat "$RUN/port") (process $pid)"
    else
        echo "not running"
        exit 1
    fi
}

[ $# -eq 1 ] || usage
case $1 in
    start) start ;;
    stop) stop ;;
    status) status ;;
    *) usage ;;
esac
