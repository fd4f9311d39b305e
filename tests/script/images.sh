#!/bin/sh
# What was measured belongs to the images it was measured on: it comes back with a folder
# that is opened again, and configuration files tell of those images, whatever is loaded
# when they are written. usage: images.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

# make_pictures FOLDER N FIRST: N pictures of which no two are the same.
make_pictures()
{
    mkdir "$1"
    i=0
    while [ $i -lt "$2" ]; do
        {
            printf 'P5\n28 28\n255\n'
            head -c 784 /dev/zero | tr '\000' "\\$(printf %o $((i + $3)))"
        } >"$1/$(printf %03d $i).pgm"
        i=$((i + 1))
    done
}
make_pictures many 100 40
make_pictures few 60 40
make_pictures other 60 110

run()
{
    "$ranklab" -b --no-init --threads 1 net.onnx -e "$1" >"$work/out" 2>&1 </dev/null
}

holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }
# part FILE NAME: that part of a configuration file.
part() { sed -n "/^  \"$2\": {/,/^  }/p" "$1" >"$work/out"; }

solve='data calib few; method conv* svd; rank conv3 20; solve'
# Of so many pictures not all are known when the folder is opened.
run "$solve; data eval many; eval --count 80; keep a; rank conv3 10; data eval many
     use a; export config used.json"
part used.json result
check "use, after the same folder was opened again" holds '"images": 80'
run "$solve; data eval many; eval --count 80; rank conv3 10; data eval many
     undo; export config undone.json"
part undone.json result
check "undo, after the same folder was opened again" holds '"images": 80'
run "$solve; data eval many; eval --count 80; keep a; data eval other; use a
     export config foreign.json"
part foreign.json result
check "use, with other pictures" lacks '"images": 80'

run "$solve; data eval few; eval --count 50; keep a; export config a.json --config a
     data eval other; data calib other; export config b.json --config a"
part b.json evaluation
check "the pictures measured on" holds '"path": ".*few"'
part a.json evaluation
hash=$(sed -n 's/.*"sha256": "\(.*\)".*/\1/p' "$work/out")
part b.json evaluation
check "their digest" holds "\"sha256\": \"$hash\""
part a.json calibration
hash=$(sed -n 's/.*"sha256": "\(.*\)".*/\1/p' "$work/out")
part b.json calibration
check "the digest of those solved from" holds "\"sha256\": \"$hash\""
check "not those that are loaded" lacks other

run "$solve; data eval few; eval --count 50; keep a; rank conv3 10
     import config a.json; compare a"
check "the file says what was measured" holds '^measured'
check "on the same pictures" lacks '^evaluation'
run "$solve; data eval other; eval --count 50; keep a; import config a.json; compare a"
check "on other pictures" holds '^evaluation'
run 'data calib few; data eval few; import config a.json'
check "the file's pictures are loaded" lacks 'images: others'
run 'data calib few; data eval other; import config a.json'
check "others are loaded" holds 'eval images: others are loaded; the file.s are 60 of few'
run 'data calib other; data eval few; import config b.json'
check "whose place is not told" holds 'calib images: others are loaded; the file.s are of a place'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
