#!/usr/bin/env bash
# The same faults for this project and for crane, skopeo and oras, as far as they are on PATH or where
# bench/peers.sh has unpacked them: a Markdown table on standard output. Wants a built dist/. Arguments are
# words in the names of the faults that are wanted; without any, all are.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${TMPDIR:-/tmp}/arcdata-mirror-bench/peers/bin:$PATH"
npx ncc build bench/faults.ts --quiet --out node_modules/.cache/bench-faults >&2
exec node node_modules/.cache/bench-faults/index.js "$@"
