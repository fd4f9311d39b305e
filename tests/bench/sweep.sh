# Sourced by scripts/bench. BENCH_POINTS ranks a layer, BENCH_COUNT images (0: all).
make -s -C "$top/build" tests/bench/sweep
"$top/build/tests/bench/sweep" @fashion "${BENCH_POINTS:-8}" "${BENCH_COUNT:-0}"
