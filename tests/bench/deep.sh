# Sourced by scripts/bench. 120 convolutions at 1024 x 1024; BENCH_COUNT images (4),
# BENCH_WIDTH channels (16).
need_packages python3-onnx python3-numpy
export PYTHONDONTWRITEBYTECODE=1
work=$XDG_CACHE_HOME/deep
mkdir -p "$work"
/usr/bin/python3 "$top/tests/bench/make_deep.py" "$work/deep.onnx" "${BENCH_WIDTH:-16}" \
    "$work/images.npy" "${BENCH_COUNT:-4}"
BENCH_SET=${BENCH_SET:-set max-memory 4G} /usr/bin/python3 "$top/tests/bench/big.py" "$RANKLAB" deep "$work/deep.onnx" \
    "$work/images.npy" 1.5 "$work"
