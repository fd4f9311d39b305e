#!/bin/sh
# Runs the seed corpus through every fuzz target that was built; one process a file, so that
# each counts. usage: replay.sh, in the build folder
here=$(cd "$(dirname "$0")" && pwd)
passed=0
failed=0
for folder in "$here"/corpus/*/; do
    target=$(basename "$folder")
    for f in "$folder"*; do
        if tests/fuzz/"$target" "$f" >replay.out 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL $target: $(basename "$f")"
            tail -n 20 replay.out
        fi
    done
done
rm -f replay.out
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
