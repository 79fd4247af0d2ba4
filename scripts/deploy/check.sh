#!/usr/bin/env bash
# Checks what is under deploy/ with the tools that its users have: promtool, Helm, the Kubernetes schemas, systemd-analyze.
# That it agrees with the code is tested by tests/deploy. A tool that is not to be had is said, and is no failure;
# promtool must be there (scripts/setup.sh fetches it).
#
#   check.sh           with what is here, or was built or fetched before
#   check.sh --fetch   builds Helm and installs kubernetes-validate first, where Go and Python can
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
TOOLS=${CARGO_TARGET_DIR:-target}/tools
mkdir -p "$TOOLS"
TOOLS=$(cd "$TOOLS" && pwd -P)
KUBERNETES_VALIDATE=1.37.0
CHART=deploy/helm/odrwatch

say() { printf '%s\n' "deploy: $*" >&2; }
left_out() { say "left out: $*"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case ${1-} in
    --fetch) FETCH=1 ;;
    '') FETCH= ;;
    *)
        say "usage: $(basename "$0") [--fetch]"
        exit 64
        ;;
esac

# quietly COMMAND...: shows what it said only if it fails.
quietly() {
    "$@" >"$work/said" 2>&1 </dev/null || {
        cat "$work/said" >&2
        say "failed: $*"
        exit 1
    }
}

rules() {
    local promtool=$TOOLS/promtool
    [ -x "$promtool" ] || {
        say "promtool is missing: run scripts/setup.sh"
        exit 69
    }
    quietly "$promtool" check rules deploy/prometheus/alerts.yaml deploy/prometheus/recording.yaml
    quietly "$promtool" test rules deploy/prometheus/alerts.test.yaml
    quietly "$promtool" check config --syntax-only deploy/compose/prometheus.yaml
    { echo "scrape_configs:"; sed 's/^/  /' deploy/prometheus/scrape.yaml; } >"$work/scrape.yaml"
    quietly "$promtool" check config "$work/scrape.yaml"
    scripts/deploy/prometheusrule.sh >"$work/prometheusrule.yaml"
    quietly diff -u deploy/prometheus/prometheusrule.yaml "$work/prometheusrule.yaml"
    say "rules, their unit tests and the scrape configurations are right ($("$promtool" --version 2>&1 | head -n 1))"
}

# Prints the path of Helm.
find_helm() {
    if [ -n "$FETCH" ]; then
        scripts/deploy/helm.sh
    else
        command -v helm || find "$TOOLS" -name 'helm-v*' -perm -u+x -print -quit | grep .
    fi
}

chart() {
    local helm values
    helm=$(find_helm) || {
        left_out "helm lint and helm template ($0 --fetch builds Helm, where Go is installed)"
        return 0
    }
    for values in "$CHART/values.yaml" "$CHART"/ci/*.yaml; do
        quietly "$helm" lint --strict "$CHART" --values "$values"
        "$helm" template shop "$CHART" --values "$values" --namespace shop \
            >"$work/$(basename "$values")" 2>"$work/said" || {
            cat "$work/said" >&2
            exit 1
        }
    done
    # What the schema of the values must refuse.
    for wrong in replicaCont=3 httpPort=0 config.http.listen=x config.kafka.instance=x kafkaSecrets.a.key=b; do
        if "$helm" template shop "$CHART" --set "$wrong" >/dev/null 2>&1; then
            say "values.schema.json lets $wrong pass"
            exit 1
        fi
    done
    # The rules come out of the chart as they went in.
    "$helm" template shop "$CHART" --set prometheusRule.enabled=true --show-only templates/prometheusrule.yaml \
        2>/dev/null | sed -n '/^  groups:/,$s/^  //p' >"$work/rules.yaml"
    quietly "$TOOLS/promtool" check rules "$work/rules.yaml"
    say "the chart is right ($("$helm" version --short 2>/dev/null || "$helm" version))"
    manifests
}

manifests() {
    local venv=$TOOLS/kubernetes-validate-$KUBERNETES_VALIDATE
    if [ ! -x "$venv/bin/kubernetes-validate" ] && [ -n "$FETCH" ] && command -v python3 >/dev/null; then
        python3 -m venv "$venv" >/dev/null 2>&1 &&
            "$venv/bin/pip" install --quiet "kubernetes-validate==$KUBERNETES_VALIDATE" >"$work/said" 2>&1 || rm -rf "$venv"
    fi
    [ -x "$venv/bin/kubernetes-validate" ] || {
        left_out "the manifests against the Kubernetes schemas ($0 --fetch installs kubernetes-validate, where Python is)"
        return 0
    }
    local file
    for file in "$work/values.yaml" "$work/everything.yaml"; do
        quietly "$venv/bin/kubernetes-validate" --strict --no-warn "$file"
    done
    say "the manifests fit the schemas of Kubernetes ${KUBERNETES_VALIDATE%.*}"
}

unit() {
    command -v systemd-analyze >/dev/null || {
        left_out "systemd-analyze is not installed"
        return 0
    }
    # The binary need not be installed here: any other one will do for the syntax.
    sed "s|/usr/local/bin/odrwatch|$(command -v true)|" deploy/systemd/odrwatch.service >"$work/odrwatch.service"
    quietly systemd-analyze verify "$work/odrwatch.service"
    [ ! -s "$work/said" ] || {
        cat "$work/said" >&2
        exit 1
    }
    if systemd-analyze security --help 2>&1 | grep -q -- --offline; then
        quietly systemd-analyze security --offline=true --threshold=15 deploy/systemd/odrwatch.service
    fi
    say "the systemd unit is right"
}

rules
chart
unit
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    say "Docker is here; building the image is left to: docker build -f deploy/Dockerfile ."
else
    left_out "the image: there is no Docker here to build it with"
fi
