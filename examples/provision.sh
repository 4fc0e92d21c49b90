#!/bin/sh
# Declare an environment and print the ARN of its notebook role. Needs curl 7.87 or newer, and python3.
# Usage: provision.sh NAME [BODY]
set -eu

name=$1
body=${2:-"{}"}

ask() {
	curl --silent --show-error --fail-with-body "$@" \
		--aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:execute-api" \
		--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H "x-amz-security-token: ${AWS_SESSION_TOKEN:-}" \
		-H "Content-Type: application/json"
}

field() {
	python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    value = value[key]
print(value)' "$@"
}

environment=$(ask -X PUT "$TRIVET_URL/environments/$name" -d "$body") || {
	echo "$environment" >&2 # the problem document says what to do
	exit 1
}
until [ "$(echo "$environment" | field smoke_test status)" != pending ] &&
	[ "$(echo "$environment" | field smoke_test status)" != running ]; do
	sleep 5
	environment=$(ask "$TRIVET_URL/environments/$name")
done
[ "$(echo "$environment" | field smoke_test status)" = succeeded ] || {
	echo "$name: the smoke test failed" >&2
	exit 1
}
echo "$environment" | field roles notebook arn
