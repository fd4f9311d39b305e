#!/bin/sh
# A report: its files and sums, its page, the replay of its script, and that an old report
# survives whatever keeps a new one from being written. usage: report.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
passed=0
failed=0
new_folder
cd "$work/run" || exit 2

# check NAME COMMAND...: it must succeed.
check()
{
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        head -5 "$work/out"
    fi
}
lab() { "$ranklab" -b --no-init --threads 1 "$@" </dev/null; }
not() { ! "$@"; }
has() { grep -q -e "$1" "$2"; }
says() { lab -e "$2" 2>&1 | grep -q -e "$1"; } # TEXT COMMANDS
sums() { (cd "$1" && sha256sum -c --quiet SHA256SUMS); }
state() { (cd "$1" && cat ./* | sha256sum); }
plan='open @fashion; rank conv4 20; set iterations 1,1; solve conv4; eval --count 50; keep small'

check writes lab -e "$plan; export report rep"
for f in report.html report.md session.rl config.json SHA256SUMS layers.csv eval.csv; do
    check "has $f" test -s "rep/$f"
done
check sums sums rep
check accuracy has 'on 50 images' rep/report.html
check untimed has 'Nothing was timed layer by layer' rep/report.md
check "timed or not" has 'the exported file takes .* times as fast\|was not timed in ONNX Runtime (.*); time --via' rep/report.md
check policy has "default-src 'none'" rep/report.html
check "no scripts" not has '<script' rep/report.html
check "no resources" not has ' src=' rep/report.html
open=$(grep -o '<t[rd][ >]' rep/report.html | wc -l)
close=$(grep -o '</t[rd]>' rep/report.html | wc -l)
check "rows are closed" test "$open" -eq "$close"
check replay says 'as recorded' 'replay rep/session.rl'
check imports lab -e 'open @fashion; import config rep/config.json'
check "replaces its own" lab -e "$plan; export report rep"
check "sums again" sums rep
check "safe without curves" lab --safe -e "open net.onnx; export report bare"
check "says what is missing" has 'safe starts no program' bare/report.md
check "safe without times" lab --safe -e "open net.onnx; method conv3 svd; rank conv3 50%; solve; \
    export report bare"
check "says how to time" has 'was not timed in ONNX Runtime (--safe starts no program); time --via' \
    bare/report.md
check "not evaluated" has 'was not evaluated' bare/report.md

# Whatever happens, the old report stays.
old=$(state rep)
same() { [ "$(state rep)" = "$old" ]; }
clean_up() { [ -z "$(find . -name '.ranklab-*')" ]; }
echo mine >rep/notes.txt
check "refuses a foreign file" says 'also holds notes.txt' 'open net.onnx; export report rep'
rm rep/notes.txt
check "refuses a folder" says 'is no report of ranklab' 'open net.onnx; export report folder.onnx'
check "refuses a file" says 'is no folder' 'open net.onnx; export report text.onnx'
check "missing folder" says 'cannot write: No such file' 'open net.onnx; export report none/rep'
check "full disk" sh -c "ulimit -f 8; trap '' XFSZ; ! '$ranklab' -b --no-init --safe \
    -e 'open @fashion; export report rep'"
check "unchanged by all" same
check "nothing temporary" clean_up
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
