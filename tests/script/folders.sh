#!/bin/sh
# Folders of pictures, which become known step by step: a replay compares what was
# recorded, predictions find what the journal knows, and what is remembered of pictures is
# told of once, used, forgotten when it is wrong and removed when it is old.
# usage: folders.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run() { "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null; }
fails() { ! run "$1"; }
holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }
holds_once() { test "$(grep -c -e "$1" "$work/out")" -eq 1; }

# pictures FOLDER N: PGM files, no two of them the same, changed so long ago that what is
# found in them is remembered.
pictures()
{
    mkdir "$1"
    awk -v dir="$1" -v n="$2" 'BEGIN {
        for (i = 0; i < n; i++) {
            f = sprintf("%s/%03d.pgm", dir, i)
            printf "P2\n28 28\n255\n" >f
            for (k = 0; k < 784; k++)
                printf "%d\n", k < 2 ? i % (50 + k) : (i * 7 + k * (i % 5 + 1)) % 256 >f
            close(f)
        }
    }'
}
pictures small 100
pictures large 300
sleep 3.2

net='open @fashion; data calib @fashion --count 100; method conv* pca; rank conv3..conv5 20'

# ---- replay ----

run "record first.rl; open @fashion; data eval large; eval --count 150"
check "some are known" grep -q "^# eval first 150 sha256 [0-9a-f]*$" first.rl
run "record then.rl; open @fashion; data eval large; eval; record stop; quit"
run "record all.rl; open @fashion; data eval large; rank conv3 10"
check "all are remembered" grep -q "^# eval sha256 [0-9a-f]*$" all.rl
mv cache kept
check "all are compared where nothing is remembered" run "replay all.rl"
check "and are the same" lacks "was .* when it was recorded"
rm -r cache
check "as many as were known" run "replay first.rl"
check "are the same, too" lacks "was .* when it was recorded"
rm -r cache
mv large/007.pgm away
check "another picture is noticed" fails "replay all.rl"
check "and said" holds "the evaluation images .* when it was recorded"
mv away large/007.pgm
rm -r cache
mv kept cache

# ---- predictions ----

for folder in small large; do
    net="open @fashion; data calib @fashion --count 100; data eval $folder; method conv* pca"
    run "$net; rank conv3..conv5 20; solve; eval; rank conv3..conv5 12; solve; eval"
    run "$net; rank conv3..conv5 10"
    check "$folder: a quick command predicts" holds "points, from 2 evaluations$"
    rm -f cache/ranklab/pictures-*
    run "$net; rank conv3..conv5 10; predict"
    check "$folder: nothing remembered, predict reads" holds "points, from 2 evaluations$"
    rm -f cache/ranklab/pictures-*
    run "$net; rank conv3..conv5 10"
    check "$folder: a quick command does not read" lacks "predicted"
    rm -f cache/ranklab/pictures-*
    run "$net; rank conv3..conv5 10; undo; eval; rank conv3..conv5 10"
    check "$folder: looked again once they are read" holds "points, from 2 evaluations$"
done

# ---- what is remembered ----

# remembered, but not to be decoded: the digest of a file that was damaged, with its times
run "open @fashion; data eval large; eval"
printf 'P2\n28 28\n255\n1 2' >large/299.pgm
sleep 3.2
digest=$(sha256sum large/299.pgm | cut -c1-64)
line="$digest 28 28 $(stat -c '%s %.9Y %.9Z %i %d' large/299.pgm) 299.pgm"
sed -i "s/.* 299.pgm\$/$line/" cache/ranklab/pictures-*
check "remembered wrongly" fails "open @fashion; data eval large; eval"
check "the picture is named, and what helps" holds "299.pgm: .*name the folder again by data"
check "and that helps" run "open @fashion; data eval large; eval"
check "the picture is skipped" holds "skipped: .*299.pgm"

touch -d '15 days ago' cache/ranklab/pictures-*
cp -p cache/ranklab/pictures-* cache/ranklab/pictures-00000000000000000000000000000000
cp cache/ranklab/pictures-0000* cache/ranklab/pictures-11111111111111111111111111111111
run "open @fashion; data calib small; data eval large; spectra; eval"
check "what is old goes" test ! -e cache/ranklab/pictures-00000000000000000000000000000000
check "what is not stays" test -e cache/ranklab/pictures-11111111111111111111111111111111
run "open @fashion; data eval large"
check "what is used stays" test -z "$(find cache/ranklab -name 'pictures-*' -mtime +1)"

no_cache() { XDG_CACHE_HOME=/dev/null/none run "$1"; }
no_cache "set journal off; open @fashion; data calib large; data eval large; rank conv3 10"
check "nothing can be remembered, said once" holds_once "is not remembered"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
