#!/usr/bin/env bash
# Prepares the Apache Kafka broker of pom.xml under target/kafka, once:
#   libs/            the jars, from Maven
#   classpath.args   Java arguments: class path and class archive
#   template/        the data directory of a broker with nothing but its internal topics (formatting it and creating
#                    them takes 5 s, copying it none)
#   kafka.jsa        an archive of loaded classes (a start takes half the time)
# Does nothing when the stamp fits. Safe when several callers come at once.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

# Every broker here is a cluster of its own, so one constant (22 characters, as Kafka wants) serves all.
CLUSTER_ID=odrwatch-test-cluster0

for tool in java mvn flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing; scripts/setup.sh installs it"
done

# What the result depends on: these files, the Java that wrote the archive, and the place of the jars.
wanted=$({
    cat "$KAFKA_SCRIPTS"/{pom.xml,fetch.sh,env.sh,WarmUp.java,single-node.properties,log4j2.properties}
    java -version 2>&1
    echo "$KAFKA_HOME"
} | sha256sum)
stamp=$KAFKA_HOME/stamp
fits() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; }

fits && exit 0
exec 9>"$KAFKA_HOME/fetch.lock"
flock 9
fits && exit 0
rm -f "$stamp"

pom_hash=$(sha256sum <"$KAFKA_SCRIPTS/pom.xml")
if [ "$(cat "$KAFKA_HOME/libs/.pom" 2>/dev/null)" != "$pom_hash" ]; then
    say "fetching Apache Kafka's jars with Maven (44 MB, once)"
    rm -rf "$KAFKA_HOME/libs" "$KAFKA_HOME/libs.new"
    mvn --batch-mode --quiet --no-transfer-progress --file "$KAFKA_SCRIPTS/pom.xml" \
        dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$KAFKA_HOME/libs.new" \
        >"$KAFKA_HOME/maven.log" 2>&1 </dev/null || {
        cat "$KAFKA_HOME/maven.log" >&2
        fail "Maven could not fetch Apache Kafka"
    }
    echo "$pom_hash" >"$KAFKA_HOME/libs.new/.pom"
    mv "$KAFKA_HOME/libs.new" "$KAFKA_HOME/libs"
fi

say "preparing the Kafka broker (once)"
work=$KAFKA_HOME/prepare
rm -rf "$work" "$KAFKA_HOME/template" "$KAFKA_HOME/kafka.jsa"
mkdir -p "$work"
jars=("$KAFKA_HOME"/libs/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")
printf -- '-cp "%s"\n' "$class_path" >"$KAFKA_HOME/classpath.args"

# The ports of this one start are chosen outside the range from which the system hands out ports.
free_port() {
    local port
    for port in $(shuf -i 28000-31999 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    fail "found no free port on 127.0.0.1"
}
client=$(free_port)
controller=$(free_port)
cp "$KAFKA_SCRIPTS/single-node.properties" "$work/server.properties"
cat >>"$work/server.properties" <<EOF
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$client,CONTROLLER://127.0.0.1:$controller
log.dirs=$work/data
EOF

# step NAME COMMAND...: runs a step with its output in a file, which is shown if it fails.
step() {
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 </dev/null || {
        cat "$work/$name.log" >&2
        fail "preparing the Kafka broker failed at: $name"
    }
}

client_java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dkafka.logs.dir=$work/client"
    "-Dlog4j2.configurationFile=$KAFKA_SCRIPTS/log4j2.properties" "@$KAFKA_HOME/classpath.args")
step format "${client_java[@]}" kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$work/server.properties"

# One start and stop: for the internal topics, and to record the classes that a broker loads.
(java_broker "$work" -Xmx256m -XX:TieredStopAtLevel=1 "-XX:ArchiveClassesAtExit=$KAFKA_HOME/kafka.jsa" \
    -- "$work/server.properties") >"$work/broker.log" 2>&1 </dev/null 9>&- &
broker=$!
trap 'kill -9 "$broker" 2>/dev/null || true' EXIT
if ! wait_until_ready "$broker" "$work" 120; then
    cat "$work/broker.log" "$work/server.log" >&2 || true
    fail "the Kafka broker did not start"
fi
step warm-up "${client_java[@]}" "$KAFKA_SCRIPTS/WarmUp.java" "127.0.0.1:$client"
kill "$broker"
wait "$broker" || true
trap - EXIT
[ -f "$KAFKA_HOME/kafka.jsa" ] || fail "Java wrote no class archive: $(cat "$work/broker.log")"
printf -- '-XX:SharedArchiveFile="%s"\n' "$KAFKA_HOME/kafka.jsa" >>"$KAFKA_HOME/classpath.args"
mv "$work/data" "$KAFKA_HOME/template"
rm -rf "$work"
echo "$wanted" >"$stamp"
