#!/bin/sh
# A network that reads bytes with the channels last and leaves height and width free:
# pictures and arrays get to it alike, and all commands that run it do.
# usage: last.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run() { "$ranklab" -b --no-init -k -e "$1" >"$work/out" 2>&1 </dev/null; }
fails() { ! run "$1"; }
holds() { grep -q -e "$1" "$work/out"; }
lacks_error() { ! grep -q -e "^-e:" "$work/out"; }

# 40 colour pictures of 14 x 12, and the same bytes as an array
mkdir pictures
awk 'BEGIN {
    for (i = 0; i < 40; i++) {
        f = sprintf("pictures/%02d.ppm", i)
        printf "P3\n14 12\n255\n" >f
        for (k = 0; k < 14 * 12 * 3; k++)
            printf "%d\n", (i * 31 + k * (k % 7 + i % 5) + int(k / 42) * i) % 256 >f
        close(f)
    }
}'
{
    printf '\223NUMPY\001\000v\000%-117s\n' \
        "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 12, 14, 3), }"
    for f in pictures/*.ppm; do
        sed 1,3d "$f"
    done | awk '{ printf "%03o\n", $1 }' | while read -r byte; do
        printf "\\$byte"
    done
} >same.npy

run 'open last.onnx' && check "a size is chosen and told" holds 'taken as 1x224x224x3'
run 'open last.onnx --input 1x12x14x3' && check "or given" holds 'last.onnx: input 3x12x14 (channels last)'
check "in the file's order" fails 'open last.onnx --input 1x3x12x14'

net='open last.onnx --input 1x12x14x3'
run "$net; data calib pictures; data eval pictures --count 30; eval > a.csv
     data eval same.npy --count 30; eval > b.csv"
cut -d, -f1-12 a.csv >a; cut -d, -f1-12 b.csv >b
check "pictures and arrays" test -s a
check "are the same images" cmp -s a b
run "set journal off; $net; data calib same.npy; data eval pictures; info 2 > a.csv
     data calib pictures; info 2 > b.csv"
check "and calibrate the same" cmp -s a.csv b.csv
run "$net; data calib pictures; data eval pictures; method one,two svd; select --speedup 1.5; solve; eval
     sweep two --points 3 > s.csv; sweep --speedup 1.2:1.6:0.2 > n.csv
     select --rule sensitivity --speedup 1.5; solve; export onnx out.onnx; time"
check "what runs it does" test "$(grep -c '^two,' s.csv)" -eq 3
check "for the whole network, too" test "$(wc -l <n.csv)" -eq 4
check "and it is exported" test -s out.onnx
check "without an error" lacks_error
check "mean and std are not for bytes" fails "$net; data calib pictures --preset imagenet"
check "which is said" holds 'takes images as uint8'
check "pictures that would be too small" fails "$net; data calib pictures --resize 10"
check "are refused at once" holds 'shorter side is 10'

# more than any machine has, and more than is allowed, is refused at once
for big in 1x400000x400000x3 '1x9000x9000x3; set max-memory 300M'; do
    for what in 'data calib pictures' 'time' 'run same.npy out.npy' 'data eval same.npy'; do
        check "$big, $what" fails "open last.onnx --input $big; $what"
        check "says why" holds '^-e:.*\(memory\|machine\|takes N\|do not fit\)'
    done
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
