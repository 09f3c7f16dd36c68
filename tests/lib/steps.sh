# The steps of tests/run: each returns 0 or not and adds what it counted. Sourced, never run.

export PH_CACHE=${PH_CACHE:-$TOP/tests/.cache}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$TOP/target}
export CARGO_TERM_COLOR=never
RUNTIMES=${PH_RUNTIMES:-uring tokio}
JOBS=${PH_JOBS:-$(($(nproc) + 1))}
PASSED=0
FAILED=0
FAILED_STEPS=
mkdir -p "$PH_CACHE"
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

run_step() {
    local name=$1 start=$SECONDS code
    printf '\n=== %s (%s UTC)\n' "$name" "$(date -u +%H:%M:%S)"
    "step_$name" </dev/null 2>&1 | tee "$LOGS/$name"
    code=${PIPESTATUS[0]}
    count "$LOGS/$name"
    if [ "$code" -eq 0 ]; then
        printf -- '--- %s: ok, %d s\n' "$name" $((SECONDS - start))
    else
        printf -- '--- %s: FAILED (code %d), %d s\n' "$name" "$code" $((SECONDS - start))
        FAILED_STEPS="$FAILED_STEPS $name"
    fi
}

# Adds up cargo test's result lines and the checks' own closing lines.
count() {
    local p f
    read -r p f <<<"$(sed -En \
        -e 's/^test result: [a-zA-Z]+\. ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p' \
        -e 's/^checks: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | awk '{p += $1; f += $2} END {print p + 0, f + 0}')"
    PASSED=$((PASSED + p))
    FAILED=$((FAILED + f))
}

# The closing lines. A step that failed without a failed check counts as one.
finish() {
    local step
    for step in $FAILED_STEPS; do
        grep -Eq '(; [1-9][0-9]* failed;|passed, [1-9][0-9]* failed$)' "$LOGS/$step" || FAILED=$((FAILED + 1))
    done
    printf '\n=== %d s in all\n' "$SECONDS"
    if [ -n "$FAILED_STEPS" ]; then
        printf 'failed steps:%s\n' "$FAILED_STEPS"
    fi
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    [ -z "$FAILED_STEPS" ] && [ "$FAILED" -eq 0 ]
    exit
}

# One named check of a step that is a plain command.
check() {
    local name=$1
    shift
    if "$@"; then
        echo "checks: 1 passed, 0 failed"
    else
        echo "FAILED: $name"
        echo "checks: 0 passed, 1 failed"
        return 1
    fi
}

step_fmt() {
    check "cargo fmt" cargo fmt --all --check -- -l &&
        check "cargo fmt of fuzz/" cargo fmt --manifest-path fuzz/Cargo.toml --check -- -l
}

step_clippy() {
    check "cargo clippy" cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
}

step_tidy() {
    cargo test --quiet --locked -p posthouse-tests --test tidy
}

step_deny() {
    need_cargo_tool cargo-deny || return 1
    echo "advisories are skipped: their database needs a network of its own"
    check "cargo deny" cargo deny --log-level error check licenses bans sources
}

step_test() {
    # The same cases each time, so that a failure says something of what was changed; without a seed proptest takes others.
    local seed=
    [ -n "${POSTHOUSE_RANDOM:-}" ] || seed=PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1}
    # Many wait for each other's threads or for a disk, not for a core.
    env $seed RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))} cargo test --workspace --locked --no-fail-fast
}

# One call for programs and benches: other packages would be other features of the dependencies, and all of them built once more.
step_build() {
    cargo build --release --locked -p posthouse -p posthouse-benches --bins --bench '*'
}

step_count() {
    need_debian && build_once && benches/count/run
}

step_interop() {
    need_corpora && need_exim && build_once || return 1
    tests/interop/run --runtime "${RUNTIMES// /,}" --jobs "$JOBS" clients outbound mailflow logins tokens compare
}

step_thunderbird() {
    DEBIAN="$DEBIAN thunderbird"
    need_debian && build_once && tests/interop/run --runtime "${RUNTIMES%% *}" thunderbird.py
}

step_sanitize() {
    need_debian && tests/sanitize
}

step_unit() {
    need_debian && build_once && tests/interop/run unit.py
}

step_crash() {
    need_corpora && build_once || return 1
    tests/interop/run --runtime "${RUNTIMES// /,}" --jobs "$JOBS" crash hostile
}

step_fuzz() {
    need_debian && fuzz/run
}

step_bench() {
    need_corpora && build_once || return 1
    # Each bench of a layer once; `cargo bench -p posthouse-benches --bench NAME` measures.
    local layer bench
    for layer in frame commit index compaction mail imap smtp; do
        check "bench $layer" cargo bench --quiet --locked -p posthouse -p posthouse-benches --bench $layer -- --test || return 1
    done
    local code=0
    for bench in peers outbound queue; do
        check "benches/$bench/run --short" "benches/$bench/run" --short || code=1
    done
    return $code
}

# The release binaries, unless the build step has made them already.
build_once() {
    [ -x "$CARGO_TARGET_DIR/release/posthouse" ] && [ -x "$CARGO_TARGET_DIR/release/posthouse-load" ] && [ -e "$LOGS/build" ] || step_build
}
