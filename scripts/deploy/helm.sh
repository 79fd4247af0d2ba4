#!/usr/bin/env bash
# Prints the path of Helm: the one on the PATH, or one built once from its Go module into target/tools (2 to 4 minutes of
# both cores). Ends with 69 and the reason where neither is to be had; nothing but the check of the chart needs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
VERSION=v4.3.1
TOOLS=${CARGO_TARGET_DIR:-target}/tools

say() { printf '%s\n' "$*" >&2; }
if command -v helm; then
    exit 0
fi
mkdir -p "$TOOLS"
TOOLS=$(cd "$TOOLS" && pwd -P)
HELM=$TOOLS/helm-$VERSION
if [ ! -x "$HELM" ]; then
    command -v go >/dev/null || {
        say "helm: neither helm nor go is installed"
        exit 69
    }
    say "helm: building helm.sh/helm/v4@$VERSION (once)"
    log=$TOOLS/helm.log
    GOBIN=$TOOLS/helm.new CGO_ENABLED=0 timeout 1200 \
        go install -trimpath -ldflags '-s -w' "helm.sh/helm/v4/cmd/helm@$VERSION" >"$log" 2>&1 </dev/null || {
        tail -n 5 "$log" >&2
        say "helm: it could not be built; the log is $log"
        exit 69
    }
    mv "$TOOLS/helm.new/helm" "$HELM"
    rmdir "$TOOLS/helm.new"
fi
echo "$HELM"
