#!/usr/bin/env bash
# All checks and measurements that need a GPU, in at most 12 minutes: tests, memcheck, kernels, tile variants, engine.
#
#     benchmarks/on_gpu.sh [--dry-run] [FOLDER]
#
# Each step has a time limit and a log in FOLDER (default: on-gpu); a step that fails or runs out of time does not stop
# the others. Prints one table and, as the last line, JSON. --dry-run needs no GPU: the gpu tests are collected, and the
# kernels' own tests run in Triton's interpreter. PYTHON names the interpreter (default: python).
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python} dry=false
[ "${1:-}" = --dry-run ] && dry=true && shift
folder=${1:-on-gpu} names=() results=() seconds=()
mkdir -p "$folder"
export PYTHONPATH=$PWD

step() { # step NAME LIMIT COMMAND...: runs a command in the foreground of its own log
    local name=$1 limit=$2 start=$SECONDS status=0
    shift 2
    timeout --kill-after=10 "$limit" "$@" >"$folder/$name.log" 2>&1 || status=$?
    printf '%s %s\n' "$status" "$((SECONDS - start))" >"$folder/$name.status"
}

collect() { # collect NAME: appends the result of a step that has ended
    local status taken result
    read -r status taken <"$folder/$1.status"
    case $status in
        0) result=passed ;;
        124 | 137) result='time limit' ;;
        *) result="exit code $status" ;;
    esac
    names+=("$1") results+=("$result") seconds+=("$taken")
}

if $dry; then
    step collected-tests 300 "$python" -m pytest -q -m gpu --co tests/kernels/test_gpu.py tests/model/engine/test_engine_on_gpu.py
    TRITON_INTERPRET=1 step interpreter 600 "$python" -m pytest -q -x tests/kernels/interpreted/test_fp8.py
    step kernels 120 "$python" -m benchmarks.kernels --help
    step tiles 120 "$python" -m benchmarks.kernel_tuning --help
    for name in collected-tests interpreter kernels tiles; do collect "$name"; done
else
    # The tests use little of the GPU: both files side by side, and memcheck, which is slow, beside them.
    step kernel-tests 240 "$python" -m pytest -q -m gpu tests/kernels/test_gpu.py &
    step engine-tests 240 "$python" -m pytest -q -m gpu tests/model/engine/test_engine_on_gpu.py &
    if command -v compute-sanitizer >/dev/null; then
        step memcheck 240 compute-sanitizer --tool memcheck --error-exitcode 9 \
            "$python" -m pytest -q -m gpu tests/kernels/test_gpu.py -k "fp8 or cached_keys or fused" &
    else
        echo "compute-sanitizer is not installed" >"$folder/memcheck.log"
        echo "127 0" >"$folder/memcheck.status"
    fi
    wait
    # Alone on the GPU, because these are timed.
    step kernels 170 "$python" -m benchmarks.kernels
    step tiles-backward 60 "$python" -m benchmarks.kernel_tuning --only backward
    step tiles-attend 50 "$python" -m benchmarks.kernel_tuning --only attend
    step tiles-index 40 "$python" -m benchmarks.kernel_tuning --only index
    step engine 150 "$python" -m benchmarks.engine_on_gpu
    names_of_steps="kernel-tests engine-tests memcheck kernels tiles-backward tiles-attend tiles-index engine"
    for name in $names_of_steps; do collect "$name"; done
fi

printf '%-16s %-14s %8s  %s\n' step result seconds 'last line'
json=
for i in "${!names[@]}"; do
    log=$folder/${names[i]}.log
    printf '%-16s %-14s %8s  %s\n' "${names[i]}" "${results[i]}" "${seconds[i]}" "$(tail -n 1 "$log" | cut -c1-100)"
    json+="${json:+, }\"${names[i]}\": {\"result\": \"${results[i]}\", \"seconds\": ${seconds[i]}}"
    # Benchmarks end with a line of JSON.
    last=$(tail -n 1 "$log")
    [[ $last == '{'*'}' ]] && json="${json%\}}, \"report\": $last}"
done
echo "{\"benchmark\": \"on_gpu\", \"dry_run\": $dry, \"steps\": {$json}}"
for result in "${results[@]}"; do [ "$result" = passed ] || exit 1; done
