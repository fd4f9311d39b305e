#!/bin/sh
# A network whose weights lie in a file beside it, exported over an older one with each call
# failing in turn: the file is the old or the new one and its weights are there, a failure is
# told in a line and leaves nothing; after a kill the next export removes what is temporary.
# usage: beside.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
FAULT_IN=beside
export FAULT_IN
export_rank() { "$tools/beside" net.onnx "$1" out/f.onnx >out.txt 2>err; }
names() { (cd out && ls -A); }

mkdir out
export_rank 2 && cp out/f.onnx 2.onnx && cp -R out old || fail beside "does not work at all"
export_rank 4 && cp out/f.onnx 4.onnx || fail beside "does not work at all"
[ "$(names | wc -l)" = 3 ] || fail beside "has not one file for the weights of each: $(names)"
[ "$failed" = 0 ] || {
    finish
    exit
}
mv out new
n=0
is_over=
while [ ! "$is_over" ]; do
    n=$((n + 1))
    for how in $(ways $n); do
        rm -rf out "$FAULT_LOG"
        cp -R old out
        LD_PRELOAD=$tools/io.so FAULT_UNDER=$work/run/out FAULT_AT=$n FAULT_HOW=$how export_rank 4
        code=$?
        [ -s "$FAULT_LOG" ] || {
            is_over=yes
            break
        }
        read -r hit <"$FAULT_LOG"
        where="beside, $hit"
        cmp -s out/f.onnx 2.onnx || cmp -s out/f.onnx 4.onnx ||
            fail "$where" "neither the old nor the new one"
        cp err said
        lab 'open out/f.onnx' || fail "$where" "cannot be opened"
        case $code in
        0)
            # What cannot be removed is left to the next export.
            case $hit in *unlink*) cmp -s out/f.onnx 4.onnx && export_rank 4 ;; esac
            cmp -s out/f.onnx 4.onnx && [ "$(names)" = "$(ls -A new)" ] && ok ||
                fail "$where" "exit status 0 and $(names)"
            ;;
        1)
            if ! cmp -s out/f.onnx 2.onnx; then
                fail "$where" "failed and another file"
            elif [ "$(names)" != "$(ls -A old)" ]; then
                fail "$where" "left $(names)"
            elif [ "$(wc -l <said)" != 1 ] ||
                ! grep -q 'No space left\|Input/output\|denied' said; then
                fail "$where" "not told in one line: $(cat said)"
            else
                ok
            fi
            ;;
        137)
            export_rank 4 && cmp -s out/f.onnx 4.onnx || fail "$where" "fails afterwards"
            [ "$(names)" = "$(ls -A new)" ] && ok || fail "$where" "not cleaned: $(names)"
            ;;
        *) fail "$where" "exit status $code" ;;
        esac
    done
    [ $n -lt 200 ] || break
done
[ $n -gt 8 ] || fail beside "only $((n - 1)) calls"
[ "$FAULT_ALL" ] && echo "beside: $((n - 1)) calls"
finish
