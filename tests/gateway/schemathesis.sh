#!/usr/bin/env bash
# Holds a gateway that runs to its own OpenAPI document, by a fuzzer that knows nothing else of it:
# https://schemathesis.readthedocs.io (`pip install schemathesis`). Only loopback, a few thousand requests.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-debug}
flags=()
[ "$profile" = release ] && flags+=(--release)
cargo build --locked --example gateway "${flags[@]}"
work=$(mktemp -d)
"target/$profile/examples/gateway" --address 127.0.0.1:0 --database "$work/conversations.sqlite3" \
  --max-concurrent 100000 --max-per-user 100000 --drain 1 >"$work/output" &
gateway=$!
trap 'kill "$gateway" 2>/dev/null || true; wait "$gateway" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  address=$(sed -n 's/^listening on //p' "$work/output")
  [ -n "$address" ] && break
  sleep 0.1
done
# DELETE ends a conversation, and what was said in it stays to be read by its owner: that is no use after free.
# Limits that nobody reaches: a start that waits for its slot is as slow as it asks to be, for up to a minute.
"${SCHEMATHESIS:-schemathesis}" --config-file tests/gateway/schemathesis.toml run "$address/openapi.json" \
  --header 'Authorization: Bearer s3cret-of-ada' \
  --checks all --exclude-checks use_after_free --max-examples "${EXAMPLES:-50}" --seed 1 --request-timeout 10 --workers 1
kill -0 "$gateway" # it has not died of it
