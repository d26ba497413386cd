// Keeps the creation code of the contracts as they were released: test/fixtures/<version>/*.json, which the upgrade test starts from.
//
//   node scripts/freeze.mjs v1
//
// A frozen version is never written again: the script refuses.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const version = process.argv[2];
if (!/^v[0-9]+$/.test(version ?? "")) {
  console.error("freeze: v1, v2, ...");
  process.exit(1);
}
const folder = path.join(root, "test/fixtures", version);
for (const contract of ["SafeStakeRegistry", "SafeStakeNetwork", "SafeStakeClusterNode", "SafeStakeOperatorConfig", "SafeStakeStorage"]) {
  const file = path.join(folder, `${contract}.json`);
  if (existsSync(file)) {
    console.error(`freeze: ${file} exists; a released version does not change`);
    process.exit(1);
  }
  mkdirSync(folder, { recursive: true });
  const artefact = JSON.parse(readFileSync(path.join(root, "out", `${contract}.sol`, `${contract}.json`), "utf8"));
  writeFileSync(file, `${JSON.stringify({ contract, version, creation: artefact.bytecode.object }, null, 2)}\n`);
}
