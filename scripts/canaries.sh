#!/usr/bin/env bash
# Puts hand-made bugs into a copy of the sources, one at a time, and sees that the tests that are named for it catch each:
#
#   scripts/canaries.sh               all of tests/canaries
#   scripts/canaries.sh NAME...       some of them, without .patch
#
# A canary is caught when its build succeeds and a named test fails. Ends with 1 if any is not. The log of each is
# target/canaries/NAME.log. All are built in one place, apart from target/debug: Cargo would take what is built of the copy for
# what is built of the sources. What is built of the dependencies already is taken over from there.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}
place=$target/canaries
copy=$place/source
export CARGO_TARGET_DIR=$place/target

if [[ ! -d $CARGO_TARGET_DIR && -d $target/debug/deps ]]; then
    mkdir -p "$CARGO_TARGET_DIR/debug/deps"
    cp --archive "$target/debug/.fingerprint" "$target/debug/build" "$CARGO_TARGET_DIR/debug/"
    rm -rf "$CARGO_TARGET_DIR"/debug/{.fingerprint,build}/odrwatch-*
    find "$target/debug/deps" \( -name 'lib*.rlib' -o -name 'lib*.rmeta' -o -name 'lib*.so' \) ! -name 'libodrwatch*' \
        -exec cp --archive --target-directory="$CARGO_TARGET_DIR/debug/deps" {} +
fi
# What tests look for below target: Kafka's jars, and promtool.
mkdir -p "$CARGO_TARGET_DIR"
for tool in kafka tools; do
    [[ -e $CARGO_TARGET_DIR/$tool || ! -e $target/$tool ]] || ln -s "$target/$tool" "$CARGO_TARGET_DIR/$tool"
done

# The sources as they are now; with their times, so that nothing is built again without need.
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z -- . ':!docs/images' ':!fuzz' | tar --create --null --files-from=- --ignore-failed-read |
    tar --extract --directory="$copy"

names=("$@")
if [[ ${#names[@]} == 0 ]]; then
    for patch in tests/canaries/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

# Of a patch's head: field NAME.
field() { sed -n "s/^$2: //p;/^---/q" "tests/canaries/$1.patch"; }

caught=0
rows=()
for name in "${names[@]}"; do
    log=$place/$name.log
    read -ra test <<<"$(field "$name" test)"
    began=$SECONDS
    if ! patch --silent --strip=1 --directory="$copy" <"tests/canaries/$name.patch" >"$log" 2>&1; then
        rows+=("$(printf '%-28s %-15s' "$name" 'DOES NOT APPLY')")
        echo "${rows[-1]}"
        continue
    fi
    if ! (cd "$copy" && $CARGO test --locked "${test[@]}" --no-run) >"$log" 2>&1; then
        verdict='DOES NOT BUILD'
    elif (cd "$copy" && $CARGO test --locked "${test[@]}") >>"$log" 2>&1; then
        verdict='NOT CAUGHT'
    else
        verdict=caught
        caught=$((caught + 1))
    fi
    patch --silent --reverse --strip=1 --directory="$copy" <"tests/canaries/$name.patch"
    # Cargo goes by times, and patch may have given the file its old one.
    sed -n 's,^+++ b/,,p' "tests/canaries/$name.patch" | (cd "$copy" && xargs touch)
    rows+=("$(printf '%-28s %-15s %4d s  %s' "$name" "$verdict" $((SECONDS - began)) "${test[*]}")")
    echo "${rows[-1]}"
done

echo
echo "$caught of ${#names[@]} canaries were caught."
[[ $caught == "${#names[@]}" ]]
