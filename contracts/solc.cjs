#!/usr/bin/env node
// A solc for forge (`solc = "./solc.cjs"` in foundry.toml) on the compiler that the npm package `solc` carries.
// Two traps: the input goes to the wasm heap (on the stack, large inputs end in "memory access out of bounds"), and there is
// no process.exit, which would cut the output at 64 KiB.
const { readFileSync } = require("fs");
const solc = require("solc/soljson.js");

const args = process.argv.slice(2);
if (args.includes("--version")) {
  const version = solc.UTF8ToString(solc._solidity_version()).replace("Emscripten.clang", "Linux.g++");
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else if (args.includes("--standard-json")) {
  const input = readFileSync(0);
  const at = solc._solidity_alloc(input.length + 1);
  solc.HEAPU8.set(input, at);
  solc.HEAPU8[at + input.length] = 0;
  process.stdout.write(solc.UTF8ToString(solc._solidity_compile(at, 0, 0)));
} else {
  console.error(`only --version and --standard-json: ${args.join(" ")}`);
  process.exitCode = 1;
}
