#!/bin/sh
# Runs the commands of the tour in README.md as one script. Needs $RANKLAB and $srcdir. Ends
# with "N passed, N failed".
set -u
src=$(cd "${srcdir:-.}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export HOME="$tmp" XDG_CONFIG_HOME="$tmp/c" XDG_STATE_HOME="$tmp/s" XDG_CACHE_HOME="$tmp/k"
cd "$tmp" || exit 1
passed=0
failed=0
report() { # NAME STATUS LOG
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
        tail -n 15 "$3"
    fi
}
# The blocks whose first command opens @fashion are complete sessions.
awk '/^```/ { inside = !inside; keep = 0; next }
    inside && /^ranklab> open @fashion/ { keep = 1 }
    inside && keep && /^ranklab> / { sub(/^ranklab> /, ""); print }' \
    "$src/README.md" >readme.rl
if [ ! -s readme.rl ]; then
    echo "no commands found in README.md"
    failed=$((failed + 1))
else
    "$RANKLAB" -b --no-init -x -f readme.rl >log 2>&1
    report "the tour in README.md" $? log
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
