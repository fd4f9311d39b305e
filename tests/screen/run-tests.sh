#!/bin/sh
# Feeds the keys of every NAME.keys to the panes, on a screen that nobody sees, and compares
# the screens that they dump with NAME.out. usage: run-tests.sh [--update] [RANKLAB [NAME...]]
# The first lines of NAME.keys may say:  # size WxH   # args OPTIONS   # env NAME=VALUE...
#   # input TEXT (for ~/.inputrc)   # tolerance (numbers may differ a little)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
is_update=
[ "${1:-}" = --update ] && is_update=1 && shift
ranklab=${1:-${RANKLAB:-./ranklab}}
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
[ $# -gt 0 ] && shift
work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-screen.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
HOME=$work/home
LC_ALL=C.UTF-8
TERM=xterm-256color
export HOME LC_ALL TERM
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME NO_COLOR DISPLAY WAYLAND_DISPLAY INPUTRC \
    LINES COLUMNS
: "${RANKLAB_DATA:=$root/data}"
export RANKLAB_DATA
passed=0
failed=0

# said NAME KEY: what the first lines of NAME.keys say of KEY.
said()
{
    sed -n "1,8s/^# $2 *//p" "$here/$1.keys"
}

# run NAME: its screens, each under a line with the name of its file.
run()
{
    rm -rf "$work/run" "$HOME"
    mkdir -p "$work/run" "$HOME"
    cp "$root/tests/script/net.onnx" "$work/run/"
    said "$1" input >"$HOME/.inputrc"
    (
        cd "$work/run" || exit 2
        size=$(said "$1" size)
        # shellcheck disable=SC2046
        set -- "$1" $(said "$1" env)
        name=$1
        shift
        # The options are words of a shell.
        eval "set -- \"\$@\" \"\$ranklab\" --no-init --threads 1 $(said "$name" args)"
        timeout 120 env "$@" --size "${size:-80x24}" --keys "$here/$name.keys" </dev/null 2>&1
        code=$?
        [ $code = 0 ] || echo "exit status $code"
        for f in screen.* *.txt; do
            [ -f "$f" ] || continue
            echo "--- $f"
            cat "$f"
        done
    )
}

names=$*
[ -n "$names" ] || names=$(cd "$here" && ls ./*.keys | sed 's|^\./||; s|\.keys$||')
for name in $names; do
    run "$name" | sed "s|$work|WORK|g" >"$work/actual"
    if [ -n "$is_update" ]; then
        cp "$work/actual" "$here/$name.out"
        continue
    fi
    if grep -q '^# tolerance' "$here/$name.keys"; then
        awk -v tolerance=2e-2 -f "$root/tests/script/compare.awk" "$here/$name.out" "$work/actual" \
            >"$work/difference"
    else
        diff -u "$here/$name.out" "$work/actual" >"$work/difference"
    fi
    if [ $? = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        head -30 "$work/difference"
    fi
done
[ -n "$is_update" ] && exit 0
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
