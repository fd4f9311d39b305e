#!/bin/sh
# Sessions killed (SIGKILL) at random moments, one after the other in the same folder: every
# file of the user is the old or the new one, whole; what grows has lost nothing but a torn last
# line; the next session reads all of it and removes what the killed one left. Three kinds take
# turns: a script, the same typed into the panes, and a program that exports with the library, its
# weights in a file of their own.
# KILLS=N: so many (default 30). FAULT_TURN=N: other moments.
# usage: kills.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
: "${KILLS:=30}"
cache=$HOME/.cache/ranklab
state=$HOME/.local/state/ranklab
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 net.onnx >>images.npy
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 28, 28), }" >zeros.npy
head -c 6272 /dev/zero >>zeros.npy

# Everything that writes; the two plans differ in their ranks.
for rank in 2 4; do
    cat >"$rank.rl" <<END
open net.onnx
set convolution auto
record out/rec.rl
data eval images.npy --count 20
method all svd
rank all $rank
solve
export config out/f.json
export table layers out/t.csv
export table layers out/t.md
cost > out/c.json
run zeros.npy out/r.npy
export onnx out/f.onnx
export onnx out/h.onnx --fp16 --keep-names
plot ranks --script out/p.gp
eval --again
sweep conv2 --points 2
keep k
export config out/k.json
export report out/report
plot ranks --to out/p.svg
plot ranks --to out/p.png
record --stop
time --ranks conv2 --again
END
    {
        sed '1d; s/$/<Enter>/' "$rank.rl"
        echo 'screen-dump out/s.txt<Enter>'
    } >"$rank.keys"
done
files='c.json f.json f.onnx h.onnx k.json l.onnx p.gp p.png p.svg r.npy t.csv t.md'

# start KIND RANK: the process is $job.
start()
{
    case $1 in
    script) "$ranklab" -b -q --no-init --threads 1 "$2.rl" >out.txt 2>err </dev/null & ;;
    panes)
        "$ranklab" --no-init --threads 1 --size 80x24 --keys "$2.keys" net.onnx >out.txt 2>err \
            </dev/null &
        ;;
    library) "$tools/beside" net.onnx "$2" out/l.onnx >out.txt 2>err </dev/null & ;;
    esac
    job=$!
}

# Times are said in a file that tells of an evaluation.
digest() { grep -av '"seconds"' "$1" | cksum; }

mkdir out digests
for rank in 2 4; do
    for kind in script panes library; do
        begin=$(date +%s%N)
        start $kind $rank
        wait $job || fail "$kind" "does not work at all"
        # The second is the one that counts: the first has to try out convolutions.
        eval "ms_$kind=$((($(date +%s%N) - begin) / 1000000))"
    done
    for f in $files; do
        digest "out/$f" >"digests/$f.$rank"
    done
    cp out/rec.rl "$rank.rec"
done
for f in $files; do
    cmp -s "digests/$f.2" "digests/$f.4" && fail "$f" "the two plans give the same"
done
[ "$failed" = 0 ] || {
    finish
    exit
}
{
    cat ./*.rl
    echo 'screen-dump out/s.txt'
} | LC_ALL=C sort -u >typed

# lines WHOLE FILE: FILE is the beginning of WHOLE, but for a torn last line. Digests of what
# tells of times are none of it.
lines()
{
    head -n "$(wc -l <"$2")" "$2" | grep -v '^#' >now.txt
    grep -v '^#' "$1" | head -n "$(wc -l <now.txt)" | cmp -s - now.txt
}

check_files()
{
    for f in $files; do
        digest "out/$f" >now
        cmp -s now "digests/$f.2" || cmp -s now "digests/$f.4" ||
            fail "$where" "$f: neither the old nor the new one"
    done
    (cd out/report && sha256sum -c --quiet SHA256SUMS) >now 2>&1 && [ -s out/report/report.html ] ||
        fail "$where" "the report is not whole"
    [ "$(wc -l <out/s.txt)" = 24 ] || fail "$where" "the screen is not whole"
    lines 2.rec out/rec.rl || lines 4.rec out/rec.rl || fail "$where" "rec.rl has other lines"
    for f in $(ls -A out); do
        case " $files rec.rl report s.txt " in
        *" $f "*) continue ;;
        esac
        case $f in
        .ranklab-????????????????.tmp | l-*.data) ;;
        *) fail "$where" "left $f" ;;
        esac
    done
}

check_logs()
{
    cmp -s -n "$(wc -c <journal.old)" journal.old "$cache/journal.jsonl" ||
        fail "$where" "the journal lost a line"
    cmp -s -n "$(wc -c <history.old)" history.old "$state/history" ||
        fail "$where" "the history lost a line"
    for f in convolutions times; do
        [ -e "$cache/$f" ] || continue
        [ -z "$(tail -c 1 "$cache/$f" | tr -d '\n')" ] || fail "$where" "a torn line of $f"
    done
    head -n "$(wc -l <"$state/history")" "$state/history" | LC_ALL=C sort -u |
        LC_ALL=C comm -23 - typed >now
    [ -s now ] && fail "$where" "the history has lines that were not typed"
    for f in "$state"/sessions/*.rl; do
        [ -e "$f" ] || continue
        head -n "$(wc -l <"$f")" "$f" >session.rl
        "$ranklab" -b -q --no-init -e 'source --check session.rl' >out.txt 2>err ||
            fail "$where" "the session's script is no script"
        rm "$f"
    done
}

# The next session reads all of it. What was torn is said, and one line of it.
check_next()
{
    lab 'open out/l.onnx; open out/h.onnx; open out/f.onnx; open net.onnx
        import config out/k.json; import config out/f.json; set convolution auto
        data eval images.npy --count 20; solve; eval; export table layers out/next.csv' ||
        fail "$where" "cannot be read"
    rm -f out/next.csv
    lab 'journal verify' || {
        grep -q 'line [0-9]* is damaged ([^)]*): journal' err || fail "$where" "the journal"
        torn=$((torn + 1))
    }
    lab 'journal prune --damaged; journal verify' || fail "$where" "the journal cannot be pruned"
    find out "$cache" -name '.ranklab-*' >now
    [ -s now ] && fail "$where" "not cleaned: $(cat now)"
}

n=0
n_killed=0
torn=0
temporary=0
before=$failed
rm -f "$state"/sessions/*.rl
# Parts of the time that a session takes.
awk -v seed="$((FAULT_TURN + 1))" -v n="$KILLS" \
    'BEGIN { srand(seed); for (i = 0; i < n; i++) print int(rand() * 1000) }' >moments
while read -r part; do
    n=$((n + 1))
    case $((n % 5)) in
    0) kind=library ;;
    1 | 3) kind=script ;;
    *) kind=panes ;;
    esac
    eval "ms=\$ms_$kind"
    moment=$(awk -v ms="$ms" -v part="$part" 'BEGIN { printf "%.4f", ms * part / 1e6 }')
    cp "$cache/journal.jsonl" journal.old
    cp "$state/history" history.old
    where="kill $n, $kind after $moment s"
    start $kind $((2 + n % 2 * 2))
    sleep "$moment"
    kill -9 $job 2>/dev/null
    wait $job 2>/dev/null
    code=$?
    [ $code = 137 ] && n_killed=$((n_killed + 1))
    [ $code = 137 ] || [ $code = 0 ] || fail "$where" "exit status $code"
    [ "$(find out "$cache" -name '.ranklab-*')" ] && temporary=$((temporary + 1))
    check_files
    check_logs
    check_next
    [ "$failed" != "$before" ] || ok
    before=$failed
    rm -rf "$TMPDIR"/*
done <moments
[ $n_killed -ge $((KILLS / 5)) ] || fail kills "only $n_killed of $n were killed while they ran"
echo "$n_killed of $n killed while they ran;" \
    "left something temporary: $temporary, tore a line of the journal: $torn"
finish
