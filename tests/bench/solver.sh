# Sourced by scripts/bench. For each d: the solver, NumPy and the matrix products take turns,
# medians of BENCH_RUNS rounds. NumPy runs over the same OpenBLAS, found by its library path.
need_packages python3-numpy
make -s -C "$top/build" tests/bench/solver
solver=$top/build/tests/bench/solver
openblas=$(ldd "$solver" | sed -n 's/.*=> \(.*\)\/libopenblas\.so.*/\1/p')
work=$XDG_CACHE_HOME/solver
mkdir -p "$work"
for d in ${BENCH_D:-64 128 256 512}; do
    n=30000 rank=$((d / 4))
    "$solver" make "$d" "$n" "$work"
    : >"$work/ours" && : >"$work/numpy" && : >"$work/products"
    for round in $(seq "${BENCH_RUNS:-3}"); do
        "$solver" run "$d" "$n" "$rank" "$work" 1 >>"$work/ours"
        LD_LIBRARY_PATH=$openblas /usr/bin/python3 "$top/tests/bench/solver_numpy.py" \
            "$d" "$n" "$rank" "$work" 1 >>"$work/numpy"
        "$solver" products "$d" "$n" "$rank" 1 >>"$work/products"
    done
    for side in ours numpy products; do
        sort -n "$work/$side" | awk '{ v[NR] = $1 } END {
            printf "%.6f %.3f %.3f\n", v[int((NR + 1) / 2)], v[1], v[NR] }' >"$work/$side.median"
    done
    paste -d' ' "$work/ours.median" "$work/numpy.median" "$work/products.median" |
        awk -v d="$d" -v errors="$(head -n 1 "$work/ours" | cut -d' ' -f2) $(head -n 1 "$work/numpy" | cut -d' ' -f2)" '{
        printf "solver d = %d: NumPy / ranklab %.2f (%.2f s, %.2f..%.2f / %.2f s, %.2f..%.2f); ", d, $4 / $1, $4, $5, $6, $1, $2, $3
        printf "matrix products / ranklab %.2f; held-out errors %s\n", $7 / $1, errors }'
done
