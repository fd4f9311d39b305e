# Functions that scripts/run, scripts/test, scripts/interop and scripts/bench share.
# Sourced with $top set to the root of the source tree.

build_packages='gcc make autoconf automake pkg-config libc6-dev libopenblas-openmp-dev
liblapacke-dev libdnnl-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev zlib1g-dev
nettle-dev libjansson-dev libturbojpeg0-dev libpng-dev libwebp-dev libreadline-dev libncurses-dev gnuplot libcmocka-dev'
test_packages='tmux procps'
fuzz_packages='clang'
bench_packages='python3-numpy python3-onnx python3-torch python3-torchvision'
interop_packages='python3-onnx python3-numpy python3-pil python3-html5lib python3-markdown-it libonnx-testdata ca-certificates'

# Installs what is missing of the Debian packages named; without the right to do so, prints
# the list and stops. gnuplot-nox serves as gnuplot.
need_packages() {
    missing=
    for p in "$@"; do
        case $p in
        gnuplot) command -v gnuplot >/dev/null 2>&1 && continue ; p=gnuplot-nox ;;
        pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
        esac
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $p"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root='sudo'
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
        as_root='sudo'
    else
        echo "These Debian packages are missing; please install them:" >&2
        echo "   apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    $as_root apt-get install -y -q --no-install-recommends $missing >&2 || {
        $as_root apt-get update -q >&2
        $as_root apt-get install -y -q --no-install-recommends $missing >&2
    } || {
        echo "could not install:$missing" >&2
        exit 1
    }
}

# Sees to node and onnxruntime-node, the latter in build-interop/, and sets NODE_PATH.
need_onnxruntime() {
    command -v node >/dev/null 2>&1 || need_packages nodejs
    command -v npm >/dev/null 2>&1 || need_packages npm
    mkdir -p "$top/build-interop"
    if [ ! -d "$top/build-interop/node_modules/onnxruntime-node" ]; then
        echo "installing onnxruntime-node in build-interop/" >&2
        # without its script, which would fetch the GPU libraries
        (cd "$top/build-interop" && npm install --ignore-scripts --no-audit --no-fund \
            --no-save --prefix . onnxruntime-node) >"$top/build-interop/npm.log" 2>&1 || {
            tail -n 20 "$top/build-interop/npm.log" >&2
            echo "npm could not install onnxruntime-node; see build-interop/npm.log" >&2
            exit 1
        }
    fi
    NODE_PATH=$top/build-interop/node_modules
    export NODE_PATH
}

# ranklab_build [DIR [configure options]]: configures and builds in DIR (build) and sets
# RANKLAB to the program. The source tree is reached by a relative name, so that a path with
# spaces in it works. Other options than last time configure anew.
ranklab_build() {
    # shellcheck disable=SC2086
    need_packages $build_packages
    dir=${1:-build}
    [ $# -gt 0 ] && shift
    log="$top/$dir/build.log"
    mkdir -p "$top/$dir"
    [ -x "$top/$dir/ranklab" ] || echo "building in $dir/, which takes a minute or two" >&2
    build_in "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        echo "the build failed; the whole log is $log" >&2
        exit 1
    }
    RANKLAB="$top/$dir/ranklab"
    export RANKLAB
}

# A chain of &&: `set -e` has no effect on the left of ||.
build_in() (
    cd "$top" &&
        if [ ! -x configure ] || [ configure.ac -nt configure ] ||
            [ Makefile.am -nt Makefile.in ]; then
            autoreconf -fi
        fi &&
        cd "$dir" &&
        if [ ! -f config.status ] || [ ../configure -nt config.status ] ||
            [ "$(cat options 2>/dev/null)" != "$*" ]; then
            ../configure -q "$@" && echo "$*" >options
        fi &&
        make -s -j"$(nproc)"
)
