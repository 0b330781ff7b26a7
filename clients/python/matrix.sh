#!/usr/bin/env bash
# Computes one dose with the built wheel in an empty environment for each pair of Python and protobuf: all must give the
# same bytes, with a proxy set and with a user's own stubs in the folder. Usage: matrix.sh PROGRAM [FOLDER]
# PYTHONS names the interpreters, PROTOBUFS the versions ("newest" is one), PATIENT a folder with activity_bq.nii.gz and
# density_g_cm3.nii.gz.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
work=$(realpath -m "${2:-$here/../../target/python-matrix}")
read -r -a pythons <<< "${PYTHONS:-python3}"
read -r -a protobufs <<< "${PROTOBUFS:-3.20.3 4.25.* 5.29.* 6.33.* newest}"

rm -rf "$work"
mkdir -p "$work"
"${pythons[0]}" -m venv "$work/build"
"$work/build/bin/pip" wheel -q --no-deps -w "$work" "$here"
wheel=$(echo "$work"/dosegrid-*.whl)
for python in "${pythons[@]}"; do
  for protobuf in "${protobufs[@]}"; do
    environment=$work/$(basename "$python")-${protobuf//\*/x}
    "$python" -m venv "$environment"
    wanted=protobuf
    [ "$protobuf" = newest ] || wanted="protobuf==$protobuf"
    begun=$SECONDS
    "$environment/bin/pip" install -q --prefer-binary "$wheel" "$wanted" ${PATIENT:+nibabel}
    # Stubs as a user has them beside a script.
    mkdir -p "$environment/run/dosegrid/v1"
    echo 'HERE = "the user"' > "$environment/run/dosegrid/v1/own_pb2.py"
    cp "$here/scripts/matrix_case.py" "$environment/run/"
    (cd "$environment/run" && env -u DOSEGRID_SERVER DOSEGRID_PROGRAM="$program" http_proxy=http://127.0.0.1:9 \
      https_proxy=http://127.0.0.1:9 "$environment/bin/python" matrix_case.py ${PATIENT:+"$PATIENT"}) |
      sed "s/\$/, $((SECONDS - begun)) s with pip/" | tee -a "$work/table"
  done
done
doses=$(grep -o 'dose [0-9a-f]*' "$work/table" | sort -u | wc -l)
echo "$(wc -l < "$work/table") environments, $doses dose"
[ "$doses" = 1 ]
