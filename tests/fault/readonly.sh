#!/bin/sh
# Folders and files that must not be written, for a user who is not root: every command that
# writes says so in a line and fails, nothing is left or lost, and the session goes on. Without
# a cache, state or configuration folder that can be written the work is done all the same, and
# what is not kept is told once.
# usage: readonly.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 net.onnx >>images.npy
cp "$ranklab" "$work/ranklab"
mkdir -p locked out "$HOME/.cache/ranklab" "$HOME/.local/state/ranklab" "$HOME/.config/ranklab"
echo 'from before' >out/old
# Permissions do not bind root.
as=
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$work"
    as='setpriv --reuid=65534 --regid=65534 --clear-groups'
fi
# lab COMMANDS: as in lib.sh, as the other user.
lab()
{
    # shellcheck disable=SC2086
    $as "$work/ranklab" -b -k -q --no-init --threads 1 -e "$1" >out.txt 2>err </dev/null
    code=$?
}
# shellcheck disable=SC2086
$as test -w "$work/run" && $as "$work/ranklab" --version >/dev/null || {
    echo "SKIP: $work cannot be used by another user"
    exit 77
}

setup='open net.onnx; data eval images.npy --count 20; method all svd; rank all 4; solve'
chmod 555 locked
chmod 400 out/old
# refused FILE COMMAND
refused()
{
    lab "$setup; $2; echo still usable"
    [ $code = 1 ] || fail "$2" "exit status $code"
    if [ "$(grep -c '^-e:1:' err)" != 1 ] || ! grep -q "$1: cannot write: Permission denied" err; then
        fail "$2" "not told in one line"
    elif ! grep -q '^still usable$' out.txt; then
        fail "$2" "the session does not go on"
    elif [ "$(ls -A locked)" ] || [ "$(ls -A out)" != old ] ||
        [ "$(cat out/old)" != 'from before' ]; then
        fail "$2" "left or lost something"
    else
        ok
    fi
}
for target in locked/f out/old; do
    refused $target "export onnx $target"
    refused $target "export config $target"
    refused $target "export table layers $target"
    refused $target "cost > $target"
    refused $target "run images.npy $target"
    refused $target "plot ranks --script $target"
    refused $target "record $target"
done
refused locked/f.svg 'plot ranks --to locked/f.svg'
refused locked/f 'export report locked/f'

# ---- the program's own folders ----
lab "$setup; eval; assert eval.images == 20"
[ $code = 0 ] || fail own "does not work at all"
cp "$HOME/.cache/ranklab/journal.jsonl" journal.old
own="$HOME/.cache/ranklab $HOME/.local/state/ranklab $HOME/.local/state/ranklab/sessions
    $HOME/.config/ranklab"
chmod 555 $own
chmod 444 "$HOME/.cache/ranklab/journal.jsonl"
lab "$setup; eval; rank conv2 6; solve; eval; rank conv2 8; solve; eval; assert eval.images == 20
    sweep conv2 --points 2; echo still usable"
[ $code = 0 ] && grep -q '^still usable$' out.txt && ok || fail journal "exit status $code"
[ "$(grep -c 'kept for this session only: .*journal.jsonl: .*denied' err)" = 1 ] &&
    [ "$(wc -l <err)" = 1 ] && ok || fail journal "is not told once"
cmp -s journal.old "$HOME/.cache/ranklab/journal.jsonl" && ok || fail journal "another one"
lab 'journal prune; echo still usable'
[ $code = 1 ] && grep -q 'journal.jsonl: cannot write: Permission denied' err && ok ||
    fail 'journal prune' "exit status $code"
lab "open net.onnx; rank conv2 4; time --ranks conv2"
[ $code = 0 ] && [ "$(grep -c 'times are kept for this session only: .*denied' err)" = 1 ] && ok ||
    fail times "exit status $code"
# Without a memory of what was faster a session could not be repeated. (Without AVX-512 there is
# only one way.)
chmod 755 "$HOME/.cache/ranklab"
lab 'open net.onnx; set convolution auto; run images.npy out/x.npy'
if [ -e "$HOME/.cache/ranklab/convolutions" ]; then
    rm "$HOME/.cache/ranklab/convolutions"*
    chmod 555 "$HOME/.cache/ranklab"
    lab "$setup; set convolution auto; eval; set convolution direct; eval; echo still usable"
    [ $code = 1 ] && [ "$(grep -c '^-e:1:' err)" = 1 ] &&
        grep -q 'remember.*convolutions.*Permission denied.*set convolution direct' err &&
        grep -q '^still usable$' out.txt && ok || fail 'convolution auto' "exit status $code"
fi
chmod 555 "$HOME/.cache/ranklab"
printf 'rank conv2 4<Enter>rank conv3 5<Enter>echo goes on<Enter>screen-dump screen<Enter>' >keys
# shellcheck disable=SC2086
$as "$work/ranklab" --no-init --threads 1 --size 80x40 --keys keys net.onnx >out.txt 2>err </dev/null
code=$?
[ $code = 0 ] && [ "$(grep -c 'history is not kept' screen)" = 1 ] && grep -q '^goes on' screen &&
    ok || fail history "exit status $code: $(cat screen)"
[ ! -e "$HOME/.local/state/ranklab/history" ] && ok || fail history "is there"
chmod 755 $own
finish
