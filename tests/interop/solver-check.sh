#!/bin/sh
# Compares the library's solvers with an independent implementation in NumPy on stored
# samples. $SOLVER_CHECK: the built tests/interop/solver_check; an argument limits the run to
# cases whose name contains it. One line per case, then "N passed, N failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${SOLVER_CHECK:?the path of the built solver_check program}"
python=${PYTHON:-/usr/bin/python3}
folder=$(mktemp -d "${TMPDIR:-/tmp}/solver-check.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
# One thread: the matrices are small, and the sums come out the same on every machine.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS PYTHONDONTWRITEBYTECODE
"$python" "$here/solver_cases.py" "$SOLVER_CHECK" "$folder" "$@"
