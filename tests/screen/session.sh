#!/bin/sh
# What is done by keys can be done again in batch: the session's own script is replayed, finds
# all tables as they were, and writes the same ONNX file byte for byte.
# usage: session.sh [RANKLAB]
root=$(cd "$(dirname "$0")/../.." && pwd)
ranklab=${1:-${RANKLAB:-./ranklab}}
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-session.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
HOME=$work/home
XDG_CONFIG_HOME=$work/config
XDG_STATE_HOME=$work/state
XDG_CACHE_HOME=$work/cache
LC_ALL=C.UTF-8
TERM=xterm-256color
export HOME XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME LC_ALL TERM
unset NO_COLOR DISPLAY WAYLAND_DISPLAY INPUTRC LINES COLUMNS
: "${RANKLAB_DATA:=$root/data}"
export RANKLAB_DATA
mkdir "$HOME" "$work/run" && cd "$work/run" || exit 2

fail()
{
    echo "FAIL $1"
    shift
    [ $# -eq 0 ] || tail -n 20 "$@"
    exit 1
}

# A budget, a rank and a method by hand, a solution, an evaluation, a sweep, a name, tables.
cat >keys <<'END'
<F4>4<Enter><F6><Down><Down><Left><Down>m<F3><F5>
<Up>w<F8>fast<Enter>layers; cost; error<Enter><F9>faster.onnx<Enter><dump screen>
END
"$ranklab" --no-init --size 100x30 --keys keys -i \
    -e 'open @fashion; data calib @fashion --count 200; data eval @fashion --count 300' \
    >log 2>&1 </dev/null || fail "the session by keys" log
set -- "$XDG_STATE_HOME"/ranklab/sessions/*.rl
[ $# -eq 1 ] && [ -f "$1" ] || fail "one script of the session: $*"
for line in 'select --speedup 4' 'rank conv3 ' 'method conv4 ' 'solve' 'eval' 'sweep conv3' \
    'keep fast' 'export onnx '; do
    grep -q "^$line" "$1" || fail "the script lacks: $line" "$1"
done
mv faster.onnx by-keys.onnx || fail "the file of the session" screen
cp "$1" script.rl

"$ranklab" --batch --no-init -e 'replay script.rl' >log 2>&1 || fail "the replay" log
grep -q "tables, all as recorded" log || fail "all tables as recorded" log
[ -f faster.onnx ] || fail "the replay wrote no file" log
cmp by-keys.onnx faster.onnx || fail "the file of the replay differs"

# The same inside the panes: the replay has a session of its own, what is open stays open.
printf '%s\n' 'replay script.rl<Enter><dump screen.replay>cost<Enter><dump screen.after>' >keys
rm -f faster.onnx
"$ranklab" --no-init --size 100x30 --keys keys -i -e 'open @fashion-resnet' \
    >log 2>&1 </dev/null || fail "the replay in the panes" log
grep -q "tables, all as recorded" screen.replay || fail "the panes: as recorded" screen.replay
grep -q '@fashion-resnet' screen.after || fail "what was open in the panes" screen.after
cmp by-keys.onnx faster.onnx || fail "the file of the replay in the panes differs"

# What the panes find out unasked, or a command that failed did, stands in no script.
printf '%s\n' 'layers<Enter>select --speedup 1000<Enter>layers<Enter><F10>' >keys
rm -rf "$XDG_STATE_HOME"
"$ranklab" --no-init --size 100x30 --keys keys -i \
    -e 'open @fashion; data calib @fashion --count 50' >log 2>&1 </dev/null || fail "looking" log
"$ranklab" --batch --no-init -e "replay $(echo "$XDG_STATE_HOME"/ranklab/sessions/*.rl)" \
    >log 2>&1 || fail "the replay of what was looked at" log
grep -q "2 tables, all as recorded" log || fail "both tables as recorded" log

# What a command did is kept though the file of its table could not be written.
rm -rf "$XDG_STATE_HOME"
"$ranklab" --batch --no-init -k -e 'open @fashion; select --speedup 2 --rule uniform > /dev/full' \
    -e 'layers' >log 2>&1 && fail "a full disk is no failure" log
set -- "$XDG_STATE_HOME"/ranklab/sessions/*.rl
"$ranklab" --batch --no-init -e "replay $1" >log 2>&1 || fail "the replay behind a full disk" log

# A script begins with what was in force at the beginning, whatever was set since.
"$ranklab" --batch --no-init --threads 2 -e 'set threads 1; record threads.rl' >log 2>&1
head -n 1 threads.rl | grep -q 'threads 2$' || fail "the threads of the beginning" threads.rl

# A script that says something else is told from it.
sed 's/^keep fast/rank conv5 full/' script.rl >other.rl
if "$ranklab" --batch --no-init -e 'replay other.rl' >log 2>&1; then
    fail "another script is as recorded" log
fi

# What lay in a folder is in another one now, with a name that needs quotes; the old one is gone.
mkdir there && cp "$root/tests/script/net.onnx" there/model.onnx && cd there || exit 2
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 model.onnx >>images.npy
cat >../keys <<'END'
open model.onnx<Enter>data calib images.npy<Enter>data eval images.npy --count 20<Enter>
<F4>2<Enter><F3><F5>cost > cost.csv<Enter><F9>faster.onnx<Enter>
END
rm -f "$XDG_STATE_HOME"/ranklab/sessions/*.rl
"$ranklab" --no-init --size 100x30 --keys ../keys -i -e 'set seed 3' >../log 2>&1 </dev/null ||
    fail "the session in a folder" ../log
cd .. && mkdir old && mv there/faster.onnx there/cost.csv old && mv there 'a year later' &&
    cd 'a year later' || fail "the files of the session"
cp "$XDG_STATE_HOME"/ranklab/sessions/*.rl session.rl
if "$ranklab" --batch --no-init -e 'replay session.rl' >../log 2>&1; then
    fail "files that are gone" ../log
fi
grep -q 'replay FILE --here takes from' ../log || fail "a hint where files are gone" ../log
"$ranklab" --batch --no-init -e 'replay session.rl --here' >../log 2>&1 ||
    fail "the replay in another folder" ../log
grep -q "tables, all as recorded" ../log || fail "another folder: as recorded" ../log
cmp faster.onnx ../old/faster.onnx || fail "the file of the other folder differs"
cmp cost.csv ../old/cost.csv || fail "the table of the other folder differs"
[ ! -e ../there ] || fail "the folder of the session is there again"
echo "1 passed, 0 failed"
