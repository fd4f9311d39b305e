# Sourced by scripts/bench. BENCH_POINTS ranks a layer, BENCH_COUNT images (0: all).
make -s -C "$top/build" tests/bench/progress
"$top/build/tests/bench/progress" @fashion "${BENCH_POINTS:-4}" "${BENCH_COUNT:-0}"
