#!/bin/sh
# The program as shells see it: options, exit statuses, streams, files of the user.
# usage: cli.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
passed=0
failed=0
new_folder
cd "$work/run" || exit 2

# check NAME EXPECTED-STATUS EXPECTED-TEXT COMMAND...: runs it, both streams together; the
# output must hold the text (a basic regular expression; empty: any output).
check()
{
    name=$1 status=$2 text=$3
    shift 3
    "$@" >"$work/out" 2>&1 </dev/null
    code=$?
    if [ "$code" -ne "$status" ]; then
        fail "$name" "exit status $code, expected $status"
    elif [ -n "$text" ] && ! grep -q -e "$text" "$work/out"; then
        fail "$name" "no '$text' in the output"
    else
        passed=$((passed + 1))
    fi
}

fail()
{
    failed=$((failed + 1))
    echo "FAIL $1: $2"
    head -5 "$work/out"
}

sh_check()
{
    name=$1 status=$2 text=$3
    check "$name" "$status" "$text" sh -c "$4" "$ranklab"
}

r=$ranklab
check version 0 "ranklab [0-9]" "$r" --version
check help 0 "usage: ranklab" "$r" --help
check unknown-long 2 "unknown option --frobnicate" "$r" --frobnicate
check unknown-short 2 "unknown option -z" "$r" -z
check missing-value 2 "needs a value" "$r" -e
check bad-format 2 "unknown format xml" "$r" --format xml
check bad-threads 2 "whole number" "$r" --threads none
check bad-color 2 "auto, always or never" "$r" --color blue
check two-models 2 "only one network" "$r" a.onnx b.onnx
check nothing-to-do 0 "" "$r" -b
check missing-script 1 "missing.rl: No such file" "$r" missing.rl
check missing-model 1 "ranklab: open: missing.onnx" "$r" -b missing.onnx
check model-then-command 0 "^conv7 " "$r" -b net.onnx -e layers
check order 0 "" "$r" -b -e 'echo 1' -f sub/inner.rl -e 'echo 3'
[ "$(cat "$work/out" | tr '\n' ' ')" = "1 inner 3 " ] || fail order "wrong order"
check stops 1 "" "$r" -b -e 'echo 1' -e nonsense -e 'echo 3'
grep -q 3 "$work/out" && fail stops "went on"
check keeps-going 1 "^3$" "$r" -k -e 'echo 1' -e nonsense -e 'echo 3'
check ort-safe 1 "safe starts no program" "$r" -b --safe net.onnx -e 'time --via onnxruntime'
check ort-select-safe 1 "safe starts no program" "$r" -b --safe net.onnx \
    -e 'set deploy-engine onnxruntime; select --ms 1'
check ms-rule 1 "rule energy counts no milliseconds" "$r" -b net.onnx \
    -e 'select --speedup-ms 2 --rule energy'
sh_check no-node 1 "node is not installed .*package nodejs" \
    'PATH=/nowhere "$0" -b net.onnx -e "time --via onnxruntime"'
mkdir -p "$work/bin"
printf '#!/bin/sh\necho "node 0 v1 what"\n' >"$work/bin/node"
chmod +x "$work/bin/node"
check odd-helper 1 "timing helper printed" env PATH="$work/bin:$PATH" "$r" -b net.onnx \
    -e 'time --via onnxruntime'
check position 1 "^-e:1:7: unknown command nonsense" "$r" -e 'echo; nonsense'
check prefix-in-script 1 "scripts need whole words" "$r" -e 'ech 1'
check quit-stops 0 "" "$r" -e 'echo 1; quit; echo 2' -e 'echo 3'
[ "$(cat "$work/out")" = 1 ] || fail quit-stops "went on"
sh_check stdin 0 "^from stdin$" 'echo "echo from stdin" | "$0"'
sh_check stdin-error 1 "stdin:2:1: unknown command nonsense" 'printf "echo 1\nnonsense\n" | "$0"'
sh_check stdin-dash 0 "^from stdin$" 'echo "echo from stdin" | "$0" -b -f -'
sh_check batch-ignores-stdin 0 "^1$" 'echo "nonsense" | "$0" -b -e "echo 1"'
sh_check no-newline 0 "^last$" 'printf "echo last" | "$0"'
sh_check crlf 0 "^dos$" 'printf "echo dos\r\n" | "$0"'
sh_check zero-byte 1 "^stdin: line 1: not a text file" 'printf "echo \000\n" | "$0"'
sh_check closed-pipe 141 "" '{ "$0" -b net.onnx -e "layers; help; help; help; help; help; help"; echo $? >status; } | :; sleep 0.1; exit $(cat status)'
[ -s "$work/out" ] && fail closed-pipe "not quiet"
[ -w /dev/full ] && sh_check full-disk 1 "No space left" '"$0" -e help >/dev/full'
sh_check closed-stdout 1 "standard output" '"$0" -e help >&-'
sh_check redirect-stays 1 "" 'echo old >t.csv; "$0" -b net.onnx -e "rank conv3 1000" -e "layers > t.csv"; s=$?; grep -q old t.csv && exit $s'
check color 1 "$(printf '\033')" "$r" --color always -e nonsense
check no-color 1 "" "$r" -e nonsense
grep -q "$(printf '\033')" "$work/out" && fail no-color "an escape sequence"
check seed 0 "seed *7" "$r" --seed 7 -e 'show seed'
check ascii 0 "" "$r" -b --ascii net.onnx -e layers
LC_ALL=C grep -q '[^ -~]' "$work/out" && fail ascii "something else than ASCII"
check directory-as-script 1 "is a folder" "$r" -f sub
check safe-plot 1 "starts no program" "$r" -b --safe @fashion -e 'data calib @fashion --count 30' \
    -e 'plot energy conv2 --to a.svg'

check text-plot 0 "rank (% of full rank)" "$r" -b --safe net.onnx -e 'data calib @fashion --count 50' \
    -e 'rank conv3 20; plot energy conv2..conv4 --width 60 --height 14'
check text-plot-ascii 0 "" "$r" -b --safe --ascii net.onnx -e 'data calib @fashion --count 50' \
    -e 'method all svd; rank conv3,conv4 50%; solve; plot error'
LC_ALL=C grep -q '[^ -~]' "$work/out" && fail text-plot-ascii "something else than ASCII"
if command -v gnuplot >/dev/null 2>&1; then
    check plot-file 0 "wrote e.svg" "$r" -b net.onnx -e 'data calib @fashion --count 50' \
        -e 'plot energy conv2..conv4 --to e.svg --script e.gp'
    grep -q '</svg>' e.svg || fail plot-file "no complete svg"
    sh_check plot-script 0 "" 'gnuplot -d -e "set term dumb" e.gp </dev/null >/dev/null 2>&1; [ -s e.gp ]'
fi

# a file holds one table
for ending in json csv; do
    check one-table-$ending 0 "wrote" "$r" -b net.onnx -e "info conv3 > i.$ending"
done
[ "$(wc -l <i.json)" = 1 ] && [ "$(grep -c '^rank,' i.csv)" = 1 ] && ! grep -q '^$' i.csv ||
    fail one-table "several tables in one file"

# tables for people fit a terminal of 80 columns
sh_check narrow-tables 0 "" '"$0" -b @fashion -e "data calib @fashion --count 60" -e "data eval @fashion --count 50" \
    -e "select --speedup 2; solve; layers; cost; error; eval" >tables.txt && ! grep "^.\{81\}" tables.txt'
check nearest-number 1 "did you mean conv7?" "$r" -b net.onnx -e 'rank conv9 3'

# mode and seed of a configuration are those the layers were solved with
sh_check config-origin 0 "" '"$0" -b @fashion -e "data calib @fashion --count 60" \
    -e "rank conv3 30; set seed 5; solve --mode sym; export config one.json" \
    -e "rank conv4 30; set seed 6; solve conv4; set mode symhat; export config two.json" &&
    grep -q "^    \"mode\": \"sym\"" one.json && grep -q "^    \"seed\": 5," one.json &&
    grep -q "^    \"mode\": \"symhat\"" two.json && grep -q "^    \"seed\": 6," two.json &&
    grep -q "^        \"mode\": \"asym\"" two.json && grep -q "^        \"seed\": 6," two.json'

# a configuration read back is written again byte for byte, and its factors come out the same
cat >same.rl <<'END'
data calib @fashion --count 60
data eval @fashion --count 50
try import config a.json
export config b.json
solve
eval
error > error.csv
END
sh_check config-round-trip 0 "" '"$0" -b @fashion -e "data calib @fashion --count 60" \
    -e "data eval @fashion --count 50; method conv5 3d; set lambda 0.02,1" \
    -e "set seed 9007199254740993; set iterations 3,3; select --speedup 3; solve; eval" \
    -e "export config a.json; error > error-a.csv" && "$0" -b @fashion -f same.rl &&
    cmp a.json b.json && cmp error-a.csv error.csv'
check config-of-another 1 "for another network" "$r" -b net.onnx -e 'import config a.json'
check config-no-file 1 "No such file" "$r" -b net.onnx -e 'import config none.json'
sh_check config-method 1 "layers\[0\].method: keep, pca" \
    'sed "s/\"relu\"/\"warp\"/" a.json >w.json && "$0" -b @fashion -e "import config w.json"'
sh_check config-rank 1 "conv2: rank 9999 of the file" \
    'sed "/\"conv2\"/,/rank_spatial/s/\"rank\": [0-9]*/\"rank\": 9999/" a.json >w.json &&
    "$0" -b @fashion -e "import config w.json"'
sh_check config-by-hand 0 "what it says was measured is left out" \
    'sed "/\"conv2\"/,/rank_spatial/s/\"rank\": [0-9]*/\"rank\": 20/" a.json >w.json &&
    "$0" -b @fashion -e "import config w.json; assert conv2.rank == 20"'
sh_check config-unchanged 0 "" \
    '"$0" -b @fashion -e "rank conv3 20; try import config w2.json; try import config net.onnx" \
    -e "assert conv3.rank == 20; undo; assert total.speedup == 1"'

# files of the user
mkdir -p "$HOME/.config/ranklab"
echo 'echo from init' >"$HOME/.config/ranklab/init.rl"
check init 0 "^from init$" "$r" -e 'echo 1'
check no-init 0 "" "$r" --no-init -e 'echo 1'
grep -q init "$work/out" && fail no-init "init.rl was run"
rm "$HOME/.config/ranklab/init.rl"

# the automatic record of a session is a script that gives the same
rm -rf "$HOME/.local"
check recorded 0 "" "$r" -b net.onnx -e 'rank conv3 40; rank conv4 50%; try nonsense; try source sub/inner.rl; layers > a.csv'
session=$(ls "$HOME"/.local/state/ranklab/sessions/*.rl)
mv a.csv first.csv
[ "$(grep -c source "$session")" = 0 ] && [ "$(grep -c '^echo inner$' "$session")" = 1 ] ||
    fail recorded "a sourced script is not recorded line by line"
check replay-check 0 "no errors" "$r" -b -e "source $session --check"
check replay 0 "" "$r" -b -f "$session"
cmp -s a.csv first.csv || fail replay "the replayed session gives another table"

# a replay compares every table with the digest that was recorded of it
sed "s|$PWD/a.csv|replayed/a.csv|" "$session" >again.rl
mkdir replayed
check replay-same 0 "again.rl: 1 table, it came out as recorded" "$r" -b -e 'replay again.rl'
cmp -s replayed/a.csv first.csv || fail replay-same "the file was not written again"
sed 's/^rank conv3 40/rank conv3 41/' again.rl >other.rl
check replay-differs 1 "other.rl:[0-9]*: the table layers differs from the recorded one; 0 of 1" \
    "$r" -b -e 'replay other.rl'
sed 's/^\(# network sha256\) ..../\1 0000/' again.rl >network.rl
check replay-network 1 "the network .* was 0000" "$r" -b -e 'replay network.rl'
grep -v '^layers' again.rl >missing.rl
check replay-missing 1 "the table layers was not printed" "$r" -b -e 'replay missing.rl'
grep -v '^# table' again.rl >none.rl
check replay-none 0 "holds no digests" "$r" -b -e 'replay none.rl'
sed "s/^# table layers/# table data sha256 $(printf %064d 1)\\n&/" again.rl >varies.rl
check replay-varies 0 "varies.rl: 1 table, it came out as recorded" "$r" -b -e 'replay varies.rl'
sed 's/ranklab [0-9.]* session/ranklab 0.0.0 session/; s/threads [0-9]*$/threads 1/' again.rl >older.rl
check replay-version 0 "recorded with version 0.0.0, this is" "$r" -b --threads 2 -e 'replay older.rl'
check replay-threads 0 "threads 1, as it was recorded" "$r" -b --threads 2 -e 'replay older.rl'
check replay-aside 0 "^conv3: rank 40 -> 20" "$r" -b net.onnx -e 'rank conv3 40; replay again.rl; rank conv3 20'
check replay-check-only 0 "no errors" "$r" -b -e 'replay again.rl --check'
echo 'rank' >>other.rl
check replay-parse 1 "other.rl:[0-9]*:" "$r" -b -e 'replay other.rl --check'

[ "$(stat -c %a "$session")" = 600 ] || fail replay "the session file is readable by others"
rm -rf "$HOME/.local"
check no-command-no-record 0 "" "$r" -b
[ -z "$(ls "$HOME/.local/state/ranklab/sessions" 2>/dev/null)" ] ||
    fail no-command-no-record "a record of nothing"
check help-no-record 0 "" "$r" -b -e 'help rank; version; echo 1'
[ ! -e "$HOME/.local/state" ] || fail help-no-record "a folder for a record of nothing"
check record-seed 0 "" "$r" -b --seed 3 net.onnx -e 'set seed 7; rank conv3 40; record mine.rl'
[ "$(grep '^set seed' mine.rl | tr '\n' ' ')" = "set seed 3 set seed 7 " ] ||
    fail record-seed "the script does not begin with the first seed"
check record 0 "" "$r" -b net.onnx -e 'rank conv3 40' -e 'record mine.rl' -e 'rank conv4 20'
check record-replay 0 "conv4: rank 64 -> 20" "$r" -b -f mine.rl
sh_check no-home 0 "^1$" 'env -u HOME "$0" -e "echo 1"'

# the same input gives the same bytes
sh_check same-bytes 0 "" 'for i in 1 2; do "$0" -b --threads 1 @fashion -e "data calib @fashion --count 60" -e "select --speedup 2; solve; error" --format json 2>&1 >$i.json; done; cmp 1.json 2.json'

# generated files
check man 0 "^.TH RANKLAB" "$r" -b -e 'help --man'
if command -v man >/dev/null 2>&1; then
    sh_check man-renders 0 "" '"$0" -b -e "help --man" >ranklab.1; man --warnings -l ranklab.1 2>&1 >/dev/null | grep -v "cannot" | grep . && exit 1; exit 0'
fi
sh_check bash-completion 0 "" '"$0" -b -e "help --completion bash" >c.bash; bash -n c.bash'

# an interrupt ends a batch run with 130, and old files stay
# (a shell lets its background jobs ignore ^C; env undoes that)
sh_check interrupt 130 "interrupted; nothing was changed" '
    env --default-signal=INT "$0" -b @fashion -e "echo ready; select --speedup 3 > s.csv" >log 2>&1 &
    pid=$!
    n=0
    until grep -q ready log || [ $n -gt 600 ]; do sleep 0.05; n=$((n + 1)); done
    kill -INT $pid
    wait $pid
    s=$?
    cat log
    exit $s'

# ^C does not wait for gnuplot, ends it, and leaves no folder behind
mkdir -p fake tmp
printf '#!/bin/sh\necho $$ >"%s/gnuplot.pid"\nexec sleep 60\n' "$PWD" >fake/gnuplot
chmod +x fake/gnuplot
sh_check interrupt-plot 130 "interrupted; nothing was changed" '
    PATH=$PWD/fake:$PATH TMPDIR=$PWD/tmp env --default-signal=INT "$0" -b @fashion \
        -e "data calib @fashion --count 30; plot energy conv2 --to e.png" >log 2>&1 &
    pid=$!
    n=0
    until [ -s gnuplot.pid ] || [ $n -gt 600 ]; do sleep 0.05; n=$((n + 1)); done
    from=$(date +%s)
    kill -INT $pid
    wait $pid
    s=$?
    cat log
    [ $(($(date +%s) - from)) -le 2 ] || echo slow
    kill -0 "$(cat gnuplot.pid)" 2>/dev/null && echo gnuplot lives on
    exit $s'
grep -q "slow\|lives on" "$work/out" && fail interrupt-plot "gnuplot was waited for"
[ -z "$(ls tmp)" ] || fail interrupt-plot "a temporary folder is left"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
