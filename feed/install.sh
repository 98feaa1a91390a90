#!/bin/sh
# The steps of the feed's image, for Docker and for the test that runs them without it:
#   sh install.sh CONTEXT INTO        with PYTHON as the interpreter, if not `python`
set -eu
context=$1 into=$2 python=${PYTHON:-python}
mkdir -p "$into"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
  --only-binary :all: --target "$into/packages" --requirement "$context/requirements.txt"
cp -R "$context/app" "$into/app"
# Checked by nothing at import: the root is read-only, and a file's time is not what it was.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$into/packages" "$into/app"
