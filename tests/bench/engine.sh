# Sourced by scripts/bench. BENCH_ROUNDS rounds of BENCH_CASES (resnet50:8 @fashion:256 ...).
# shellcheck disable=SC2086
need_packages $bench_packages
need_onnxruntime
make -s -C "$top/build" tests/bench/engine
work=$top/build-bench
export PYTHONDONTWRITEBYTECODE=1
mkdir -p "$work"
/usr/bin/python3 "$top/tests/interop/torchvision_export.py" "$work" vgg16 resnet50
# shellcheck disable=SC2086
/usr/bin/python3 "$top/tests/bench/engine.py" "$top/build/tests/bench/engine" \
    "$(command -v node)" "$work" "$top/data" "${BENCH_ROUNDS:-7}" ${BENCH_CASES:-}
