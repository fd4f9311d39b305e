# Shared by the tests of failing disks and short memory: where things are, and one run of the
# program under a library that makes a chosen call fail. FAULT_ALL=1 tries every call with every
# way to fail; otherwise each call gets one or two of them, in turn: FAULT_TURN says with which
# the first call begins.

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
ranklab=${1:-${RANKLAB:-./ranklab}}
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
tools=$(dirname "$ranklab")/tests/fault
if [ ! -x "$ranklab" ] || [ ! -e "$tools/io.so" ]; then
    echo "$0: $ranklab or $tools/io.so is missing" >&2
    exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-fault.XXXXXX") || exit 2
work=$(cd "$work" && pwd -P)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
HOME=$work/home
LC_ALL=C.UTF-8
TERM=dumb
SOURCE_DATE_EPOCH=1700000000
OMP_WAIT_POLICY=passive
# The libraries of a sanitizer need not come first: these only stand before the C library.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0:allocator_may_return_null=1
TMPDIR=$work/tmp
FAULT_LOG=$work/hit
FAULT_UNTIL=$work/run/until.csv
export HOME LC_ALL TERM SOURCE_DATE_EPOCH OMP_WAIT_POLICY ASAN_OPTIONS TMPDIR FAULT_LOG FAULT_UNTIL
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME NO_COLOR DISPLAY WAYLAND_DISPLAY
: "${RANKLAB_DATA:=$root/data}"
: "${FAULT_ALL:=}" "${FAULT_TURN:=0}"
export RANKLAB_DATA
mkdir -p "$HOME" "$TMPDIR" "$work/run"
cp "$root/tests/script/net.onnx" "$work/run/"
chmod u+w "$work/run/net.onnx"
cd "$work/run" || exit 2

passed=0
failed=0
options=
ok() { passed=$((passed + 1)); }
fail() # WHAT DETAIL
{
    failed=$((failed + 1))
    echo "FAIL $1: $2"
    sed 's/^/    /' err 2>/dev/null | head -4
}
finish()
{
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

# lab COMMANDS: what it prints into out.txt and err.
lab()
{
    # shellcheck disable=SC2086
    "$ranklab" -b -k -q $options --no-init --threads 1 -e "$1" >out.txt 2>err </dev/null
}

# faulty UNDER N HOW COMMANDS: the N-th call on files below UNDER fails. False when there was
# no such call; code gets the exit status, hit what failed.
faulty()
{
    # shellcheck disable=SC2086
    rm -f "$FAULT_LOG" "$FAULT_UNTIL"
    LD_PRELOAD=$tools/io.so FAULT_UNDER=$1 FAULT_AT=$2 FAULT_HOW=$3 \
        "$ranklab" -b -k -q $options --no-init --threads 1 -e "$4" >out.txt 2>err </dev/null
    code=$?
    [ -s "$FAULT_LOG" ] || return 1
    read -r hit <"$FAULT_LOG"
}

# ways N: how call N shall fail.
ways()
{
    if [ "$FAULT_ALL" ]; then
        echo EIO ENOSPC EACCES short full kill
        return
    fi
    case $((($1 + FAULT_TURN) % 3)) in
    0) echo EIO kill ;;
    1) echo full EACCES ;;
    2) echo ENOSPC kill short ;;
    esac
}
