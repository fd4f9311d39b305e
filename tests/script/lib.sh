# Shared by the scripts beside it: a clean environment and a working folder that
# holds the scripts, the small networks beside it (see make-net.py), and damaged files.

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
ranklab=${1:-${RANKLAB:-./ranklab}}
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
if [ ! -x "$ranklab" ]; then
    echo "$0: $ranklab cannot be run; name the program as the first argument" >&2
    exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-script.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

HOME=$work/home
LC_ALL=C.UTF-8
TERM=dumb
SOURCE_DATE_EPOCH=1700000000 # when configurations were kept and evaluated
export HOME LC_ALL TERM SOURCE_DATE_EPOCH
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME NO_COLOR DISPLAY WAYLAND_DISPLAY
: "${RANKLAB_DATA:=$root/data}"
export RANKLAB_DATA
mkdir -p "$HOME"

# new_folder NAME: a fresh folder to run in.
new_folder()
{
    rm -rf "$work/run"
    mkdir -p "$work/run/folder.onnx"
    cp -R "$here"/*.rl "$here/sub" "$here"/*.onnx \
        "$work/run/"
    chmod -R u+w "$work/run" # the source tree may be read-only
    (
        cd "$work/run" || exit 2
        ln -s "$RANKLAB_DATA/fashion-test-images.idx.gz" unlabelled.idx.gz
        : >empty.onnx
        head -c 5000 net.onnx >truncated.onnx
        echo 'this is no model' >text.onnx
        : >empty.idx
        printf '\000\000\010\003\000\000\000\005\000\000\000\034\000\000\000\034abc' >short.idx
        printf '\000\000\010\003\000\000\000\002\000\000\000\002\000\000\000\002abcdefgh' >small.idx
        # two images of zeros as float32: magic, version, header of 118 bytes, 2*784*4 bytes
        printf '\223NUMPY\001\000v\000%-117s\n' \
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 28, 28), }" >zeros.npy
        head -c 6272 /dev/zero >>zeros.npy
    )
}

# run_script NAME: its output, both streams, then the files it asks to be shown.
run_script()
{
    script=$here/$1.rl
    options=$(sed -n '1,5s/^# args //p' "$script")
    new_folder
    (
        cd "$work/run" || exit 2
        # shellcheck disable=SC2086
        "$ranklab" -b --no-init --threads 1 $options -f "$1.rl" </dev/null 2>&1
        code=$?
        for f in $(sed -n '1,5s/^# show //p' "$script"); do
            echo "--- $f"
            cat "$f"
        done
        exit $code
    )
}

# begin_checks: into a fresh folder, with a cache of its own.
begin_checks()
{
    passed=0
    failed=0
    new_folder
    cd "$work/run" || exit 2
    XDG_CACHE_HOME=$work/run/cache
    export XDG_CACHE_HOME
}

# check NAME CONDITION...: when it fails, what $work/out holds is shown.
check()
{
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        [ ! -f "$work/out" ] || sed 's/^/  /' "$work/out"
    fi
}

# Damaged models and plans never appear in the output with machine-dependent paths.
clean()
{
    sed -e "s|$RANKLAB_DATA|DATA|g" -e "s|$work/run|WORK|g" -e "s|$work|TMP|g"
}
