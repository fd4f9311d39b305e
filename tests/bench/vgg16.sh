# Sourced by scripts/bench. BENCH_COUNT calibration images (3000); BENCH_FILES: a folder to
# find or leave the network and the images in (1 GB; else they are made anew and removed).
need_packages python3-onnx python3-numpy
files=${BENCH_FILES:-$XDG_CACHE_HOME/vgg16}
count=${BENCH_COUNT:-3000}
mkdir -p "$files"
[ -f "$files/vgg16-random.onnx" ] ||
    /usr/bin/python3 "$top/tests/bench/make_vgg16.py" "$files/vgg16-random.onnx"
[ -f "$files/$count.npy" ] ||
    /usr/bin/python3 "$top/tests/bench/make_vgg16.py" - "$files/$count.npy" "$count"
/usr/bin/python3 "$top/tests/bench/big.py" "$RANKLAB" vgg16 "$files/vgg16-random.onnx" \
    "$files/$count.npy" 4 "$files"
