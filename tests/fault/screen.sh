#!/bin/sh
# A screen that is dumped in the panes, with each of its calls to the system failing in turn:
# the file is the old one or the complete new one, the log tells what failed, and the panes go
# on. What a kill leaves is removed by whoever writes there next.
# usage: screen.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
cat >keys <<'END'
rank conv2 4<Enter>screen-dump out/s.txt<Enter>show > until.csv<Enter>
echo still usable<Enter>screen-dump after.txt<Enter>
END
panes() { "$ranklab" --no-init --size 80x40 --keys keys net.onnx >out.txt 2>err </dev/null; }

# Whether FILE is a screen after the change of a rank.
is_screen() { [ "$(wc -l <"$1")" = 40 ] && grep -q 'conv2 .* 4/16 ' "$1"; }

check()
{
    left=$(ls -A out)
    if [ "$code" = 137 ]; then
        for f in $left; do
            case $f in
            s.txt | .ranklab-????????????????.tmp) ;;
            *) fail "$where" "left $f" ;;
            esac
        done
        [ ! -e out/s.txt ] || cmp -s out/s.txt "$before" || cmp -s out/s.txt new.txt ||
            fail "$where" "neither the old nor the new one"
        panes
        cmp -s out/s.txt new.txt || fail "$where" "cannot be written afterwards"
        [ "$(ls -A out)" = s.txt ] && ok || fail "$where" "not cleaned: $(ls -A out)"
        return
    fi
    if [ "$code" != 0 ]; then
        fail "$where" "exit status $code"
    elif ! is_screen after.txt || ! grep -q '^still usable' after.txt; then
        fail "$where" "the panes do not go on"
    elif cmp -s out/s.txt new.txt; then
        [ "$left" = s.txt ] && ok || fail "$where" "left $left"
    elif ! grep -q '^screen-dump: out/s.txt: .*\(No space\|Input/output\|denied\)' after.txt; then
        fail "$where" "is not told"
    elif [ -e "$before" ]; then
        [ "$left" = s.txt ] && cmp -s out/s.txt "$before" && ok || fail "$where" "left $left"
    else
        [ ! "$left" ] && ok || fail "$where" "left $left"
    fi
}

mkdir out
panes
is_screen out/s.txt && mv out/s.txt new.txt || fail "screen" "does not work at all"
echo 'the screen of yesterday' >old.txt
n=0
is_over=
while [ ! "$is_over" ]; do
    n=$((n + 1))
    for how in $(ways $n); do
        for before in old.txt none.txt; do
            rm -rf out after.txt "$FAULT_LOG" "$FAULT_UNTIL"
            mkdir out
            [ ! -e $before ] || cp $before out/s.txt
            LD_PRELOAD=$tools/io.so FAULT_UNDER=$work/run/out FAULT_AT=$n FAULT_HOW=$how panes
            code=$?
            [ -s "$FAULT_LOG" ] || {
                is_over=yes
                break
            }
            read -r hit <"$FAULT_LOG"
            where="screen, $hit, old file: $before"
            check
        done
    done
    [ $n -lt 100 ] || break
done
[ $n -gt 4 ] || fail screen "only $((n - 1)) calls"
[ "$FAULT_ALL" ] && echo "screen: $((n - 1)) calls"
finish
