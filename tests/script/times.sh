#!/bin/sh
# Tables of milliseconds across sessions: measured once, read back number for number, told of
# as remembered, measured anew for other deployments and on demand; a damaged file is one that
# knows nothing. usage: times.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks
times="$XDG_CACHE_HOME/ranklab/times"

# run COMMANDS TABLE: the table of conv7's times goes to TABLE
run()
{
    "$ranklab" -b --no-init -e "open @fashion; $1" >"$2" 2>"$work/err" </dev/null &&
        grep '^conv7,' "$2" >"$2.rows" && [ "$(wc -l <"$2.rows")" -gt 5 ]
}
remembered() { grep -q '1 layer remembered, measured' "$1"; }
measured() { ! remembered "$1"; }

time='set format csv; time conv7 --ranks'
check "times are measured" run "$time" one
check "for the first time" measured "$work/err"
check "and kept" test -s "$times"
check "the next session has them" run "$time" two
check "says so" remembered "$work/err"
check "and has the same numbers" cmp -s one.rows two.rows
check "another batch" run "set deploy-batch 2; $time" three
check "is measured" measured "$work/err"
check "once more" run "set deploy-batch 2; $time" four
check "is remembered" remembered "$work/err"
check "Winograd's method" run "set convolution winograd; $time" five
check "is measured by itself" measured "$work/err"
check "--again" run "$time --again" six
check "measures" measured "$work/err"
check "after which" run "$time" seven
check "the new times are remembered" cmp -s six.rows seven.rows
tr '0-9' 'x' <"$times" >"$work/damaged" && cat "$work/damaged" >"$times"
check "a damaged file stops nothing" run "$time" eight
check "and is measured for" measured "$work/err"
awk -F'\t' '{ print $1 "\t" substr($2, 1, 40) }' "$times" >"$work/cut" && cat "$work/cut" >"$times"
check "a table cut off is not believed" run "$time" nine
check "but measured" measured "$work/err"
rm -rf "$XDG_CACHE_HOME"
: >"$XDG_CACHE_HOME"
check "without a cache folder times are measured" run "$time" ten
check "and a warning tells" grep -q 'warning.*this session only' "$work/err"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
