# Sourced by fetch.sh and broker.sh: where the broker's files are, and how its Java process is called.
# Owns no state. tests/support/broker.rs builds the same command line; keep the two together.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
KAFKA_SCRIPTS=$ROOT/scripts/kafka
KAFKA_HOME=${CARGO_TARGET_DIR:-$ROOT/target}/kafka
mkdir -p "$KAFKA_HOME"
KAFKA_HOME=$(cd "$KAFKA_HOME" && pwd -P)

# The one line the broker logs, at INFO, once it serves requests (log4j2.properties lets it through).
READY_LINE='Kafka Server started'

# say TEXT: one line for the person at the terminal; standard output is left to results.
say() { printf '%s\n' "$*" >&2; }

# fail TEXT: says it and ends with EX_UNAVAILABLE.
fail() {
    say "$(basename "$0"): $*"
    exit 69
}

# java_broker LOG_DIR JAVA_OPTION... -- PROPERTIES: becomes the broker.
java_broker() {
    local log_dir=$1
    shift
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    exec java -XX:+UseSerialGC -XX:-UsePerfData -Xshare:auto -Xlog:disable -Xlog:all=error:stderr \
        "-Dlog4j2.configurationFile=$KAFKA_SCRIPTS/log4j2.properties" "-Dkafka.logs.dir=$log_dir" \
        "${options[@]}" "@$KAFKA_HOME/classpath.args" kafka.Kafka "$2"
}

# wait_until_ready PID LOG_DIR SECONDS: true once the broker with that process id is up.
wait_until_ready() {
    local deadline=$((SECONDS + $3))
    until grep -qsF "$READY_LINE" "$2/server.log"; do
        kill -0 "$1" 2>/dev/null || return 1
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
