# Sourced by scripts/bench.
need_packages python3-numpy python3-onnx
make -s -C "$top/build" tests/bench/whatif
mkdir -p "$top/build-bench"
RANKLAB_DATA=$top/data PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$top/tests/bench/whatif.py" \
    "$RANKLAB" "$top/build/tests/bench/whatif" "$top/build-bench"
