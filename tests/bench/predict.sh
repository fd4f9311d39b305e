# Sourced by scripts/bench.
need_packages python3
/usr/bin/python3 "$top/tests/bench/predict.py" "$RANKLAB"
