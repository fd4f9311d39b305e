# Sourced by scripts/bench. BENCH_MS: the cases (ms.py says what may stand there).
need_packages python3-numpy python3-onnx
need_onnxruntime
make -s -C "$top/build" tests/bench/engine
mkdir -p "$top/build-bench"
export PYTHONDONTWRITEBYTECODE=1
[ -f "$top/build-bench/vgg16-random.onnx" ] ||
    /usr/bin/python3 "$top/tests/bench/make_vgg16.py" "$top/build-bench/vgg16-random.onnx"
# shellcheck disable=SC2086
RANKLAB_DATA=$top/data /usr/bin/python3 "$top/tests/bench/ms.py" "$RANKLAB" \
    "$top/build/tests/bench/engine" "$(command -v node)" "$top/build-bench" \
    ${BENCH_MS:-@fashion:1:1:onnxruntime @fashion:1 @fashion:64 vgg16:1}
