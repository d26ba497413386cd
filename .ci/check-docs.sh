#!/usr/bin/env bash
# Documents name files and tests; both must exist.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# Files in ARCHITECTURE.md, by path.
while read -r file; do
  [ -e "$file" ] || { echo "ARCHITECTURE.md names $file, which does not exist" >&2; failed=1; }
done < <(grep -oE '`[A-Za-z0-9_./-]+\.(rs|md|sh|sql|toml|json)`' ARCHITECTURE.md | tr -d '`' | sort -u)

# Tests in docs/attacks.md, as file and function.
while read -r file name; do
  grep -qE "fn $name\b" "$file" 2>/dev/null || { echo "docs/attacks.md names the test $name in $file, which does not exist" >&2; failed=1; }
done < <(sed -nE 's/^\| .* \| `([^`]+)` `([^`]+)` \|$/\1 \2/p' docs/attacks.md)

# Relative links between documents.
while IFS=: read -r document link; do
  target="$(dirname "$document")/${link%%#*}"
  [ -e "$target" ] || { echo "$document links to $link, which does not exist" >&2; failed=1; }
done < <(git ls-files '*.md' | grep -v '^vectors/' | xargs grep -HoE '\]\([^)#:]+(#[^)]*)?\)' | sed -E 's/:\]\(([^)]*)\)$/:\1/')

[ "$failed" = 0 ] && echo "documents: every file, test and link exists"
exit "$failed"
