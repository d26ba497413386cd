// The ABIs that Rust and TypeScript read (contracts/abi/*.json), and the check that they are complete.
//
//   node scripts/abi.mjs export   writes abi/*.json from out/, which `contracts/forge build` makes
//   node scripts/abi.mjs check    they are what was compiled, and have everything that vectors/abi lists
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const { keccak256 } = createRequire(import.meta.url)("js-sha3");
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const exported = JSON.parse(readFileSync(path.join(root, "scripts/abi-contracts.json"), "utf8"));
const vectors = path.join(root, "../vectors/abi");

const read = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Type of a parameter as it is hashed: tuples written out. */
function typeOf(parameter) {
  if (!parameter.type.startsWith("tuple")) return parameter.type;
  return `(${parameter.components.map(typeOf).join(",")})${parameter.type.slice("tuple".length)}`;
}

const signature = (item) => `${item.name}(${(item.inputs ?? []).map(typeOf).join(",")})`;
const hash = (item) => `0x${keccak256(signature(item))}`;

function compiled(contract) {
  // A contract may share its file with others.
  const file = readdirSync(path.join(root, "out")).map((folder) => path.join(root, "out", folder, `${contract}.json`));
  const abi = read(file.find((candidate) => existsSync(candidate))).abi;
  const key = (item) => `${item.type} ${item.name ?? ""} ${item.name ? signature(item) : ""}`;
  return abi.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

const text = (abi) => `${JSON.stringify(abi, null, 2)}\n`;

/** `name` and `type` of each parameter, as the listings write them. */
function parameters(list, events = false) {
  return (list ?? []).map((p) => [typeOf(p), events && p.indexed ? "indexed" : "", p.name].filter(Boolean).join(" ")).join(", ");
}

/** How the listings declare an item. */
function declaration(item) {
  if (item.type === "event") return `${item.name}(${parameters(item.inputs, true)})`;
  return `${item.name}(${parameters(item.inputs)}) ${item.stateMutability} -> (${parameters(item.outputs)})`;
}

/** Names of parameters do not reach the wire, and Solidity forbids some that the listings have; types, order, indexed and mutability do. */
const comparable = (declared) =>
  declared
    .replace(/\b(pure|view)\b/g, "view")
    .replace(/\(([^()]*)\)/g, (_, list) => `(${list.split(", ").map((p) => p.replace(/^(\S+)( indexed)?.*$/, "$1$2")).join(",")})`);

function problems() {
  const found = [];
  for (const contract of exported) {
    const file = path.join(root, "abi", `${contract}.json`);
    let present = "";
    try {
      present = readFileSync(file, "utf8");
    } catch {
      // A file that is not there is as stale as one that differs.
    }
    if (present !== text(compiled(contract))) found.push(`abi/${contract}.json is not what was compiled: node scripts/abi.mjs export`);
  }
  for (const name of readdirSync(vectors).filter((name) => name.endsWith(".json"))) {
    for (const [contract, listing] of Object.entries(read(path.join(vectors, name)))) found.push(...missing(name, contract, listing));
  }
  return found;
}

/** What a listing has and the compiled contract has not. */
function missing(file, contract, listing) {
  const found = [];
  const abi = compiled(contract);
  const byHash = new Map();
  for (const item of abi) {
    if (item.type === "event") byHash.set(hash(item), item);
    if (item.type === "function" || item.type === "error") byHash.set(`${item.type} ${hash(item).slice(0, 10)}`, item);
  }
  const compare = (key, declared) => {
    const item = byHash.get(key);
    if (!item) found.push(`${file}: ${contract} lacks ${key} ${declared}`);
    else if (comparable(declaration(item)) !== comparable(declared)) {
      found.push(`${file}: ${contract} has ${declaration(item)}, listed is ${declared}`);
    }
  };
  for (const { topic, declaration: declared } of listing.events ?? []) compare(topic, declared);
  for (const { selector, declaration: declared } of listing.functions ?? []) compare(`function ${selector}`, declared);
  if (listing.receive && !abi.some((item) => item.type === "receive")) found.push(`${file}: ${contract} lacks receive`);
  return found;
}

const command = process.argv[2];
if (command === "export") {
  for (const contract of exported) writeFileSync(path.join(root, "abi", `${contract}.json`), text(compiled(contract)));
  console.log(`abi: ${exported.length} files written`);
} else if (command === "check") {
  const found = problems();
  for (const problem of found) console.error(`abi: ${problem}`);
  if (found.length > 0) process.exitCode = 1;
  else console.log(`abi: ${exported.length} files are fresh, every listed function, event and topic is there`);
} else {
  console.error("abi: export or check");
  process.exitCode = 1;
}
