#!/usr/bin/env bash
# Gives odrwatch's principal what it needs of a Kafka cluster, and nothing else:
#
#   BOOTSTRAP=kafka:9092 PRINCIPAL=User:odrwatch deploy/kafka-acls.sh          adds the entries
#   PRINCIPAL=User:odrwatch deploy/kafka-acls.sh --print                       only shows the commands
#
# REQUEUE_PRINCIPAL names who may also run `odrwatch dlq requeue`, which writes to the inputs; without it nobody may.
# COMMAND_CONFIG names a file with the settings of a client that may alter access control. KAFKA_ACLS is Kafka's own tool
# (kafka-acls.sh on the PATH). The names below are the defaults of kafka.group and kafka.topics; set those that differ.
# Read and Write imply Describe, and Write on a topic implies what an idempotent producer needs of the cluster.
# Without DescribeConfigs odrwatch runs, but believes that the topics are as they must be, and warns.
set -euo pipefail

KAFKA_ACLS=${KAFKA_ACLS:-kafka-acls.sh}
GROUP=${GROUP:-odrwatch}
BRIDGE_GROUP=${BRIDGE_GROUP:-$GROUP-bridge}
ORDERS=${ORDERS:-orders}
FEEDBACK=${FEEDBACK:-feedback}
CLAIMS=${CLAIMS:-claims}
CHARGEBACKS=${CHARGEBACKS:-chargebacks}
ALERTS=${ALERTS:-odr-alerts}
STATUS=${STATUS:-odr-status}
DEAD_LETTERS=${DEAD_LETTERS:-odr-dead-letters}
ADVICE=${ADVICE:-odr-advice}
PROGRESS=${PROGRESS:-odr-progress}
SNAPSHOTS=${SNAPSHOTS:-odr-snapshots}

case ${1-} in
    --print) run() { printf '%q' "$1" && printf ' %q' "${@:2}" && echo; } ;;
    '')
        BOOTSTRAP=${BOOTSTRAP:?set BOOTSTRAP, such as kafka:9092}
        run() { "$@"; }
        ;;
    *)
        sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
        exit 64
        ;;
esac

PRINCIPAL=${PRINCIPAL:?set PRINCIPAL, such as User:odrwatch}

# allow RESOURCE... --operation OPERATION...: one call of the tool.
allow() {
    run "$KAFKA_ACLS" --bootstrap-server "${BOOTSTRAP:-BOOTSTRAP}" \
        ${COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"} --add --allow-principal "$PRINCIPAL" "$@"
}

# Inputs: read.
allow --topic "$ORDERS" --topic "$FEEDBACK" --topic "$CLAIMS" --topic "$CHARGEBACKS" \
    --operation Read --operation DescribeConfigs
# Outputs: write, and read what is visible of a transaction that a broker committed in part.
allow --topic "$ALERTS" --topic "$STATUS" --topic "$DEAD_LETTERS" --topic "$ADVICE" \
    --operation Read --operation Write --operation DescribeConfigs
# Progress: written with every commit, read at every start.
allow --topic "$PROGRESS" --operation Read --operation Write --operation DescribeConfigs
# Snapshots, where snapshots.store is kafka.
allow --topic "$SNAPSHOTS" --operation Read --operation Write --operation DescribeConfigs
# Membership and offsets.
allow --group "$GROUP" --operation Read
# The same for alerts that are sent on, where bridge.target is not none.
allow --group "$BRIDGE_GROUP" --operation Read
# One transactional id for each worker: group, instance and number.
allow --transactional-id "$GROUP-" --resource-pattern-type prefixed --operation Write
# Giving dead letters back: the service itself has no right to write to its inputs.
if [[ -n ${REQUEUE_PRINCIPAL-} ]]; then
    PRINCIPAL=$REQUEUE_PRINCIPAL
    allow --topic "$ORDERS" --topic "$FEEDBACK" --topic "$CLAIMS" --topic "$CHARGEBACKS" \
        --operation Write --operation DescribeConfigs
    allow --topic "$DEAD_LETTERS" --operation Read --operation Write
    allow --group "$GROUP" --operation Read
    allow --transactional-id "$GROUP-requeue" --operation Write
fi
