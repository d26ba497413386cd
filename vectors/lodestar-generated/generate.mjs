// Writes blocks filled with pseudo-random values, by the SSZ types of @lodestar/types. One preset for each run:
//   npm install @lodestar/types @lodestar/config && LODESTAR_PRESET=minimal node generate.mjs > minimal.json
import {createHash} from "node:crypto";
import {ssz} from "@lodestar/types";
import {ACTIVE_PRESET} from "@lodestar/params";
import {computeSigningRoot} from "@lodestar/state-transition";

let state = createHash("sha256").update(`cluster-node vectors ${ACTIVE_PRESET}`).digest();
let pool = Buffer.alloc(0);
function bytes(n) {
  while (pool.length < n) {
    state = createHash("sha256").update(state).digest();
    pool = Buffer.concat([pool, state]);
  }
  const out = Uint8Array.from(pool.subarray(0, n));
  pool = pool.subarray(n);
  return out;
}
const below = (n) => Buffer.from(bytes(6)).readUIntLE(0, 6) % n;
const hex = (b) => "0x" + Buffer.from(b).toString("hex");

// A value of the type, built from its JSON so that no inner representation is assumed.
function json(type, depth = 0) {
  const name = type.constructor.name;
  if (name.startsWith("Container")) {
    return Object.fromEntries(Object.entries(type.fields).map(([key, t]) => [type.fieldNameToJsonKey?.(key) ?? snake(type, key), json(t, depth + 1)]));
  }
  if (name.startsWith("ListBasic") || name.startsWith("ListComposite") || name === "ListUintNum64Type") {
    return Array.from({length: below(Math.min(type.limit, 3) + 1)}, () => json(type.elementType, depth + 1));
  }
  if (name.startsWith("Vector")) return Array.from({length: type.length}, () => json(type.elementType, depth + 1));
  if (name === "ByteVectorType") return hex(bytes(type.lengthBytes));
  if (name === "ExecutionAddressType") return hex(bytes(20));
  if (name === "ByteListType") return hex(bytes(below(Math.min(type.limitBytes, 600) + 1)));
  if (name === "BitListType") {
    const len = below(Math.min(type.limitBits, 700) + 1);
    const out = Buffer.from(bytes(Math.floor(len / 8) + 1));
    out[out.length - 1] = (out[out.length - 1] & ((1 << len % 8) - 1)) | (1 << len % 8);
    return hex(out);
  }
  if (name === "BitVectorType") {
    const out = Buffer.from(bytes(Math.ceil(type.lengthBits / 8)));
    if (type.lengthBits % 8) out[out.length - 1] &= (1 << type.lengthBits % 8) - 1;
    return hex(out);
  }
  // Numbers in JavaScript are exact up to 2^53.
  if (name.startsWith("UintNumber")) return BigInt(hex(bytes(Math.min(type.byteLength, 6)))).toString();
  if (name.startsWith("Uint")) return BigInt(hex(bytes(type.byteLength))).toString();
  if (name === "BooleanType") return below(2) === 1;
  throw new Error(`no rule for ${name}`);
}
// The JSON key is found by asking the type to write its default.
const keys = new Map();
function snake(type, key) {
  if (!keys.has(type)) {
    const written = Object.keys(type.toJson(type.defaultValue()));
    keys.set(type, Object.fromEntries(Object.keys(type.fields).map((k, i) => [k, written[i]])));
  }
  return keys.get(type)[key];
}

const sha256 = (b) => "0x" + createHash("sha256").update(b).digest("hex");
const fill = (length, byte) => new Uint8Array(length).fill(byte);
const signature = fill(96, 0x5a);
const blocks = [];
for (const fork of ["electra", "fulu"]) {
  for (const blinded of [false, true]) {
    const type = ssz[fork][blinded ? "BlindedBeaconBlock" : "BeaconBlock"];
    const signed = ssz[fork][blinded ? "SignedBlindedBeaconBlock" : "SignedBlockContents"];
    for (let i = 0; i < 2; i++) {
      const value = type.fromJson(json(type));
      if (value.body.blobKzgCommitments.length > 1) value.body.blobKzgCommitments = value.body.blobKzgCommitments.slice(0, 1);
      const k = value.body.blobKzgCommitments.length;
      const proofs = Array.from({length: k * (fork === "fulu" ? 128 : 1)}, (_, at) => fill(48, at % 256));
      const blobs = Array.from({length: k}, (_, at) => fill(131072, at + 1));
      const message = {message: value, signature};
      const contents = blinded ? message : {signedBlock: message, kzgProofs: proofs, blobs};
      blocks.push({
        fork, blinded,
        json: type.toJson(value),
        ssz: hex(type.serialize(value)),
        root: hex(type.hashTreeRoot(value)),
        body_root: hex(type.fields.body.hashTreeRoot(value.body)),
        signing_root: hex(computeSigningRoot(type, value, fill(32, 0x0d))),
        signed_contents_sha256: sha256(signed.serialize(contents)),
      });
    }
  }
}
const containers = [];
for (const [name, type] of Object.entries({
  Attestation: ssz.electra.Attestation,
  SignedAggregateAndProof: ssz.electra.SignedAggregateAndProof,
  SyncCommitteeContribution: ssz.altair.SyncCommitteeContribution,
  ContributionAndProof: ssz.altair.ContributionAndProof,
})) {
  for (let i = 0; i < 5; i++) {
    const value = type.fromJson(json(type));
    const message = type.fields.message;
    containers.push({
      type: name, json: type.toJson(value), ssz: hex(type.serialize(value)),
      root: hex(message ? message.hashTreeRoot(value.message) : type.hashTreeRoot(value)),
    });
  }
}
console.log(JSON.stringify({preset: ACTIVE_PRESET, blocks, containers}));
