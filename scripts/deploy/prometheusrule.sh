#!/usr/bin/env bash
# Prints deploy/prometheus/prometheusrule.yaml: the rules of alerts.yaml and recording.yaml for the Prometheus operator.
# A test holds that file to the rules; after a change of the rules:
#   scripts/deploy/prometheusrule.sh >deploy/prometheus/prometheusrule.yaml
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy/prometheus"
cat <<'YAML'
# Made by scripts/deploy/prometheusrule.sh from recording.yaml and alerts.yaml: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: odrwatch
  labels:
    app.kubernetes.io/name: odrwatch
spec:
  groups:
YAML
for file in recording.yaml alerts.yaml; do
    sed -e '1,/^groups:/d' -e 's/^\(.\)/  \1/' "$file"
done
