#!/usr/bin/env bash
# Checks what odrwatch needs from the machine, and installs Debian packages that are missing where it may.
#
#   setup.sh              what building and testing need
#   setup.sh --runtime    what building and the demo need: no JDK, no Maven, no Prometheus, no browser
#   setup.sh --has-kafka  installs nothing; true if a local Kafka broker can be run (JDK 17 or later, and Maven)
#
# Says nothing when all is there. Ends with 69 and the exact command when something must be done by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOOLS=${CARGO_TARGET_DIR:-target}/tools

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "setup: $*"
    exit 69
}
have() { command -v "$1" >/dev/null 2>&1; }

has_jdk() {
    have java && have javac || return 1
    local version
    version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

has_browser() { have chromium || have chromium-browser || have google-chrome; }

# Playwright's core needs Node 20 or later.
has_node() {
    have node && have npm || return 1
    local version
    version=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 20 ]
}

MODE=test
case ${1-} in
    '') ;;
    --runtime) MODE=runtime ;;
    --has-kafka) has_jdk && have mvn && have flock && exit 0 || exit 1 ;;
    *)
        say "usage: $(basename "$0") [--runtime|--has-kafka]"
        exit 64
        ;;
esac

# Runs a command as root, or says that it cannot.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

# Missing Debian packages.
packages=()
have cc && have c++ && have make || packages+=(build-essential)
have pkg-config || packages+=(pkg-config)
have pkg-config && pkg-config --exists openssl || packages+=(libssl-dev)
if [ "$MODE" = test ]; then
    has_jdk || packages+=(default-jdk-headless)
    have mvn || packages+=(maven)
    has_browser || packages+=(chromium)
    has_node || packages+=(nodejs npm)
fi
if [ ${#packages[@]} -gt 0 ]; then
    command="apt-get install --yes --no-install-recommends ${packages[*]}"
    have apt-get || fail "needed, under the names that Debian gives them: ${packages[*]}"
    as_root true || fail "packages are missing; as root: apt-get update && $command"
    say "setup: installing ${packages[*]}"
    as_root apt-get update --quiet=2 </dev/null >&2 || say "setup: the package lists could not be updated; going on"
    as_root env DEBIAN_FRONTEND=noninteractive $command --quiet=2 </dev/null >&2 || fail "failed: $command"
    if [ "$MODE" = test ] && ! has_jdk; then
        fail "Kafka needs a JDK 17 or later on the PATH; found: $(java -version 2>&1 | head -n 1)"
    fi
    if [ "$MODE" = test ] && ! has_node; then
        fail "the browser tests need Node 20 or later with npm on the PATH; found: $(node --version 2>&1 | head -n 1)"
    fi
fi

# Rust: rustup takes the version from rust-toolchain.toml.
wanted=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
have cargo || fail "Rust $wanted is missing; install it with rustup, see https://rustup.rs"
if ! found=$(rustc --version 2>/dev/null); then
    have rustup || fail "rustc does not run"
    say "setup: installing Rust $wanted"
    rustup toolchain install "$wanted" --profile minimal --component rustfmt,clippy --no-self-update >&2 ||
        fail "failed: rustup toolchain install $wanted --profile minimal --component rustfmt,clippy"
    found=$(rustc --version)
fi
oldest=$(printf '%s\n%s\n' "$wanted" "$(cut -d' ' -f2 <<<"$found")" | sort --version-sort | head -n 1)
[ "$oldest" = "$wanted" ] || fail "Rust $wanted or later is needed, found: $found"

# promtool checks metrics and rules in tests, and one lets Prometheus scrape. The Debian package would also start a server,
# so it is only unpacked.
PROMTOOL=2.42
promtool_version() { "$1" --version 2>/dev/null | sed -n 's/^promtool, version \([0-9.]*\).*/\1/p' | head -n 1; }
# Whether a promtool runs and is not older than PROMTOOL.
fits() {
    local found
    found=$(promtool_version "$1") && [ -n "$found" ] &&
        [ "$(printf '%s\n%s\n' "$PROMTOOL" "$found" | sort --version-sort | head -n 1)" = "$PROMTOOL" ]
}
if [ "$MODE" = test ] && ! { fits "$TOOLS/promtool" && [ -x "$TOOLS/prometheus" ]; }; then
    mkdir -p "$TOOLS"
    by_hand="put promtool and prometheus $PROMTOOL or later on the PATH"
    if have promtool && have prometheus && fits promtool; then
        ln -sf "$(command -v promtool)" "$TOOLS/promtool"
        ln -sf "$(command -v prometheus)" "$TOOLS/prometheus"
    else
        if have promtool; then
            say "setup: the promtool on the PATH is older than $PROMTOOL, or stands alone: $(promtool_version promtool)"
        fi
        have apt-get || fail "Prometheus is missing; $by_hand"
        say "setup: fetching Prometheus (19 MB, once)"
        unpacked=$(mktemp -d "$TOOLS/prometheus.XXXXXX")
        trap 'rm -rf "$unpacked"' EXIT
        # As a file of ours, not of apt's own user, which may not be able to write there.
        fetch() { (cd "$unpacked" && apt-get download --quiet=2 -o APT::Sandbox::User=root prometheus </dev/null >&2); }
        fetch || { as_root apt-get update --quiet=2 </dev/null >&2 && fetch; } ||
            fail "Prometheus could not be fetched; as root: apt-get update, then again; or $by_hand"
        dpkg --extract "$unpacked"/prometheus_*.deb "$unpacked"
        rm -f "$TOOLS/promtool" "$TOOLS/prometheus"
        mv "$unpacked/usr/bin/promtool" "$unpacked/usr/bin/prometheus" "$TOOLS/"
        fits "$TOOLS/promtool" ||
            fail "Debian's promtool is too old here ($(promtool_version "$TOOLS/promtool")); $by_hand"
    fi
fi

# What the browser tests need beside Node and Chromium, exactly as package-lock.json pins it.
if [ "$MODE" = test ]; then
    browser=$TOOLS/browser
    if ! cmp --silent tests/browser/package-lock.json "$browser/.installed"; then
        say "setup: fetching Playwright's core and axe-core with npm (10 MB, once)"
        mkdir -p "$browser"
        cp tests/browser/package.json tests/browser/package-lock.json "$browser/"
        (cd "$browser" && npm ci --ignore-scripts --no-audit --no-fund --silent </dev/null >&2) ||
            fail "failed: npm ci in $browser; is the npm registry within reach?"
        cp tests/browser/package-lock.json "$browser/.installed"
    fi
fi
