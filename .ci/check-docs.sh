#!/usr/bin/env bash
# Every file that the documentation names in `backticks`, or links to, exists; and every test that docs/attacks.md names is in its file.
set -euo pipefail
cd "$(dirname "$0")/.."

folders='(protocol|node|bootstrap|service|contracts|testnet|benches|fuzz|app|docs|vectors|\.ci)'
failed=0
for page in ARCHITECTURE.md README.md contracts/README.md docs/*.md docs/*/*.md; do
  while read -r file; do
    [ -e "$file" ] || { echo "$page names $file, which does not exist" >&2; failed=1; }
  done < <(grep -oE "\`$folders/[A-Za-z0-9_./-]+\`" "$page" | tr -d '`' | sort -u || true)
  while read -r link; do
    [ -e "$(dirname "$page")/$link" ] || { echo "$page links to $link, which does not exist" >&2; failed=1; }
  done < <(grep -oE '\]\([A-Za-z0-9_./-]+(#[A-Za-z0-9_-]*)?\)' "$page" | sed -E 's/^\]\(//; s/(#.*)?\)$//' | sort -u || true)
done
while read -r file test; do
  grep -qE "fn $test\b" "$file" || { echo "docs/attacks.md names $test in $file, which is not there" >&2; failed=1; }
done < <(grep -oE "\| \`[^\`]+\.rs\` \`[a-z0-9_]+\` \|$" docs/attacks.md | tr -d '`|' || true)
while read -r file test; do
  grep -qE "function $test\(" "$file" || { echo "docs/attacks.md names $test in $file, which is not there" >&2; failed=1; }
done < <(grep -oE "\| \`[^\`]+\.sol\` \`[A-Za-z0-9_]+\` \|$" docs/attacks.md | tr -d '`|' || true)
exit "$failed"
