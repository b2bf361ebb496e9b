#!/bin/sh
# Builds the lease guard for every supported architecture. Needs gcc, and gcc-aarch64-linux-gnu for arm64 on x64.
# The results are committed: whoever installs the program needs no compiler.
set -eu
cd "$(dirname "$0")"
flags="-Os -ffreestanding -fno-builtin -nostdlib -static -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pic -no-pie
  -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -s"
for target in "x64 ${CC_X64:-x86_64-linux-gnu-gcc}" "arm64 ${CC_ARM64:-aarch64-linux-gnu-gcc}"; do
  set -- $target
  if command -v "$2" > /dev/null 2>&1; then
    # shellcheck disable=SC2086
    "$2" $flags -o "guard-linux-$1" guard.c
    ls -l "guard-linux-$1"
  else
    echo "skipped $1: no $2"
  fi
done
