#!/usr/bin/env bash
# Serves SmolLM2-135M-Instruct on this machine and runs the main job against it. Arguments go to `lemmata refine`.
# The server batches all requests with the sampling of the first: leave temperature and top_p the same for all roles.
set -euo pipefail
cd "$(dirname "$0")/../.."
port=${PORT:-8017}
mkdir -p runs
python examples/smollm2/serve.py --port "$port" --continuous-batching > runs/smollm2-server.log 2>&1 &
server=$!
trap 'kill -9 "$server" 2>/dev/null || true' EXIT
echo "starting the model server (log: runs/smollm2-server.log)"
until python - "$port" <<'PY' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=2)
PY
do
  kill -0 "$server" 2>/dev/null || { cat runs/smollm2-server.log >&2; exit 1; }
  sleep 1
done
if [ $# -eq 0 ]; then set -- problems=examples/problems.jsonl limit=1 sampling.max_tokens=300 run=runs/first; fi
lemmata refine policy=smollm2 policy.base_url="http://127.0.0.1:$port/v1" "$@"
