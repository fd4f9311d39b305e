#!/bin/sh
# The library as others use it: installed into a folder of its own, found by pkg-config, the
# example built against it and run; every public header alone, in C and, where a C++ compiler
# is at hand, in C++.
set -u
build=$(dirname "${RANKLAB:?}")
top=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-library.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "FAIL $1: $2"; }
try() # NAME COMMAND...
{
    what=$1
    shift
    "$@" >"$work/log" 2>&1 && ok || fail "$what" "$(tail -n 8 "$work/log")"
}

unset MAKEFLAGS MFLAGS MAKELEVEL
try install make -s -C "$build" DESTDIR="$work/root" install-libLIBRARIES \
    install-ranklabincludeHEADERS install-pkgconfigDATA
pc=$(find "$work/root" -name ranklab.pc)
[ -n "$pc" ] || { echo "FAIL no ranklab.pc"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
flags=$(pkg-config --define-prefix --cflags ranklab) || fail pkg-config "no flags"
libs=$(pkg-config --define-prefix --static --libs ranklab) || fail pkg-config "no libraries"
case $flags in
*"$work"*) ok ;;
*) fail cflags "$flags" ;;
esac
# A critical section has a name that all who use it share.
others=$(nm -g --defined-only "$(find "$work/root" -name libranklab.a)" | awk 'NF == 3 && $3 !~ /^lr_|^[.]gomp_/ { print $3 }')
[ -z "$others" ] && ok || fail "public names" "$others"
cc=$(sed -n 's/^CC = //p' "$build/Makefile")
[ "$(grep -c . "$top/data/example.c")" -le 60 ] && ok || fail example "it is longer than 60 lines"
cd "$work" || exit 2
# shellcheck disable=SC2086
try "example builds" $cc -std=c11 -Wall -Wextra -Werror "$top/data/example.c" $flags $libs -o example
HOME=$work OMP_NUM_THREADS=2
export HOME OMP_NUM_THREADS
try "example runs" ./example @fashion 4 fast.onnx
grep -q '^fast.onnx: [34]\.[0-9]* times fewer' log && ok || fail "example says" "$(cat log)"
"$RANKLAB" -b --no-init -e 'open fast.onnx' >log 2>&1 && ok || fail "its file" "$(cat log)"
./example no.onnx 4 fast.onnx >log 2>&1
[ $? = 1 ] && grep -q 'no.onnx' log && ok || fail "example fails" "$(cat log)"
include=${flags#-I}
include=${include%% *}
for header in "$include"/ranklab/*.h; do
    name=$(basename "$header")
    echo "#include <ranklab/$name>" >one.c
    grep -q 'extern "C"' "$header" && ok || fail "$name" "not declared for C++"
    # shellcheck disable=SC2086
    try "$name in C" $cc -std=c11 -Wall -Wextra -Werror $flags -c one.c -o one.o
    command -v g++ >/dev/null 2>&1 &&
        try "$name in C++" g++ -Wall -Wextra -Werror -x c++ -I"$include" -c one.c -o one.o
done
if command -v g++ >/dev/null 2>&1; then
    cat >two.cc <<'END'
#include <ranklab/session.h>
int main() { lr_session s; lr_session_init(&s); lr_session_free(&s); }
END
    # shellcheck disable=SC2086
    try "links from C++" g++ two.cc $flags $libs -o two
    try "runs from C++" ./two
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
