// A relay with one builder behind it: the Builder API, to be a beacon node's external builder. See README.md for the arguments.
//
// It believes nothing that is not signed: registrations and blinded blocks are checked against the keys they name. Its payloads pay
// whom the proposer has registered, and carry EXTRA_DATA, by which they are known on the chain. What it has seen is at GET /report.
import http from "node:http";

import { PublicKey, SecretKey, Signature, verify } from "@chainsafe/blst";
import { DOMAIN_APPLICATION_BUILDER, DOMAIN_BEACON_PROPOSER } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { fromHex, toHex } from "@lodestar/utils";

import { chainConfig, parseArguments } from "./config.mjs";

const EXTRA_DATA = Buffer.from("cluster-testnet relay");
const GAS_LIMIT = 30_000_000;
// Far above what the mock execution engine offers, so that the builder's block is taken.
const VALUE_WEI = 10n ** 18n;
const BODY_LIMIT = 16 * 1024 * 1024;
const KEPT = 100;
const FUTURE_S = 10;
const RETRY_MS = 200;
// One slot after the other: not listening, silent, a header that no block can have, an error.
const FAILURES = ["away", "slow", "invalid", "error"];
// Longer than any beacon node waits for a header.
const SLOW_MS = 6_000;
const SSZ = "application/octet-stream";

const { options, params } = parseArguments(process.argv.slice(2));
const config = chainConfig(params);
const { beacon } = options;
const port = Number(options.port);
const failFrom = options.failFromSlot === undefined ? Infinity : Number(options.failFromSlot);
const key = SecretKey.fromKeygen(Buffer.alloc(32, 1));
const builderDomain = domain(DOMAIN_APPLICATION_BUILDER, config.GENESIS_FORK_VERSION, Buffer.alloc(32));

const registrations = new Map(); // public key -> {message, count}
const attributes = new Map(); // slot and parent hash -> what a payload for it must have
const payloads = new Map(); // block hash -> {payload, pubkey}
const seen = { refused: [], refusedCount: 0, headers: 0, bids: 0, blindedBlocks: {}, failures: {} };

if (options.endWithStdin === "1") {
  process.stdin.on("close", () => process.exit(0));
  process.stdin.resume();
}
const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    log("failed", { url: request.url, error: String(error) });
    if (!response.headersSent) json(response, error.status ?? 500, { code: error.status ?? 500, message: error.message });
  });
});
await listen();
log("listening", { port });
const genesis = await fetchGenesis();
const genesisValidatorsRoot = fromHex(genesis.genesis_validators_root);
if (failFrom !== Infinity) keepAwayInItsSlots();
followAttributes();

async function answer(request, response) {
  const [, , version, , name, ...rest] = request.url.split("?")[0].split("/"); // /eth/v1/builder/name/...
  if (request.url === "/report") return json(response, 200, report());
  if (request.method === "GET" && name === "status") return json(response, 200, {});
  if (request.method === "GET" && name === "header") return header(response, ...rest);
  if (request.method === "POST" && name === "validators") return register(request, response);
  if (request.method === "POST" && name === "blinded_blocks") return unblind(request, response, version);
  throw failure(404, `there is no ${request.method} ${request.url}`);
}

async function register(request, response) {
  const type = ssz.bellatrix.SignedValidatorRegistrationV1;
  const body = await read(request);
  const signed = isSsz(request)
    ? Array.from({ length: body.length / type.fixedSize }, (_, at) =>
        type.deserialize(body.subarray(at * type.fixedSize, (at + 1) * type.fixedSize)),
      )
    : JSON.parse(body).map((item) => type.fromJson(item));
  const refusals = signed.map(takeRegistration).filter((reason) => reason !== null);
  if (refusals.length > 0) throw failure(400, refusals[0]);
  json(response, 200, {});
}

// The reason of a refusal, or null.
function takeRegistration({ message, signature }) {
  const pubkey = toHex(message.pubkey);
  const known = registrations.get(pubkey);
  const refuse = (reason) => {
    seen.refusedCount += 1;
    if (seen.refused.length < KEPT) seen.refused.push({ pubkey, reason });
    return `${pubkey}: ${reason}`;
  };
  const root = signingRoot(ssz.bellatrix.ValidatorRegistrationV1.hashTreeRoot(message), builderDomain);
  if (!isSigned(root, message.pubkey, signature)) return refuse("the signature is not the validator's");
  if (message.timestamp > Date.now() / 1000 + FUTURE_S) return refuse("it is of the future");
  if (known && message.timestamp < known.message.timestamp) return refuse("a newer one is known");
  registrations.set(pubkey, { message, count: (known?.count ?? 0) + 1 });
  return null;
}

async function header(response, slotText, parentHash, pubkey) {
  const slot = Number(slotText);
  const fails = failureOf(slot);
  seen.headers += 1;
  if (fails) seen.failures[fails] = (seen.failures[fails] ?? 0) + 1;
  if (fails === "error" || fails === "away") throw failure(500, "the relay fails as it was told to");
  if (fails === "slow") await sleep(SLOW_MS);
  const registered = registrations.get(pubkey.toLowerCase());
  const wanted = attributes.get(`${slot}/${parentHash.toLowerCase()}`);
  if (!registered || !wanted) {
    log("no bid", { slot, registered: registered !== undefined, parentIsKnown: wanted !== undefined });
    response.writeHead(204).end();
    return;
  }
  const payload = build(wanted, registered.message, slot);
  if (fails === "invalid") payload.prevRandao = Buffer.alloc(32, 0xee);
  payloads.set(toHex(payload.blockHash), { payload, pubkey: registered.message.pubkey });
  seen.bids += 1;
  const fork = config.getForkName(slot);
  const message = {
    header: headerOf(payload),
    blobKzgCommitments: [],
    executionRequests: ssz.electra.ExecutionRequests.defaultValue(),
    value: VALUE_WEI,
    pubkey: key.toPublicKey().toBytes(),
  };
  const root = signingRoot(ssz[fork].BuilderBid.hashTreeRoot(message), builderDomain);
  const data = ssz[fork].SignedBuilderBid.toJson({ message, signature: key.sign(root).toBytes() });
  json(response, 200, { version: fork, data }, { "eth-consensus-version": fork });
}

function build(wanted, registration, slot) {
  const { payload_attributes: given } = wanted;
  const payload = ssz[config.getForkName(slot)].ExecutionPayload.defaultValue();
  payload.parentHash = fromHex(wanted.parent_block_hash);
  payload.feeRecipient = registration.feeRecipient;
  payload.prevRandao = fromHex(given.prev_randao);
  payload.blockNumber = Number(wanted.parent_block_number) + 1;
  payload.gasLimit = GAS_LIMIT;
  payload.timestamp = Number(given.timestamp);
  payload.extraData = EXTRA_DATA;
  payload.withdrawals = ssz.capella.Withdrawals.fromJson(given.withdrawals);
  // The mock execution engine takes any hash; this one names the payload.
  payload.blockHash = ssz[config.getForkName(slot)].ExecutionPayload.hashTreeRoot(payload);
  return payload;
}

function headerOf({ transactions, withdrawals, ...common }) {
  return {
    ...common,
    transactionsRoot: ssz.bellatrix.Transactions.hashTreeRoot(transactions),
    withdrawalsRoot: ssz.capella.Withdrawals.hashTreeRoot(withdrawals),
  };
}

// Version 1 answers with the payload, for the beacon node to publish the block; version 2, of Fulu, publishes it itself.
async function unblind(request, response, version) {
  const fork = request.headers["eth-consensus-version"];
  const body = await read(request);
  const type = ssz[fork].SignedBlindedBeaconBlock;
  const signed = isSsz(request) ? type.deserialize(body) : type.fromJson(JSON.parse(body));
  const { slot, body: content } = signed.message;
  const offered = payloads.get(toHex(content.executionPayloadHeader.blockHash));
  if (!offered) throw failure(400, "no such header was offered");
  const forkVersion = config.getForkInfo(slot).version;
  const proposerDomain = domain(DOMAIN_BEACON_PROPOSER, forkVersion, genesisValidatorsRoot);
  const root = signingRoot(ssz[fork].BlindedBeaconBlock.hashTreeRoot(signed.message), proposerDomain);
  if (!isSigned(root, offered.pubkey, signed.signature)) throw failure(400, "the signature is not the proposer's");
  seen.blindedBlocks[slot] = (seen.blindedBlocks[slot] ?? 0) + 1;
  const { payload } = offered;
  if (version === "v1") {
    const bundle = { executionPayload: payload, blobsBundle: { commitments: [], proofs: [], blobs: [] } };
    const data = ssz[fork].ExecutionPayloadAndBlobsBundle.toJson(bundle);
    return json(response, 200, { version: fork, data }, { "eth-consensus-version": fork });
  }
  const { executionPayloadHeader: _, ...rest } = content;
  const block = { message: { ...signed.message, body: { ...rest, executionPayload: payload } }, signature: signed.signature };
  const published = await fetch(`${beacon}/eth/v2/beacon/blocks`, {
    method: "POST",
    headers: { "content-type": "application/json", "eth-consensus-version": fork },
    body: JSON.stringify({ signed_block: ssz[fork].SignedBeaconBlock.toJson(block), kzg_proofs: [], blobs: [] }),
  });
  const said = await published.text();
  // Every operator hands its block over; the beacon node takes the first.
  if (!published.ok && !said.includes("ALREADY_KNOWN")) throw failure(500, `the beacon node refuses the block: ${said}`);
  response.writeHead(202).end();
}

// The beacon node says two thirds into a slot what a payload of the next one must have.
async function followAttributes() {
  for (;;) {
    try {
      const events = await fetch(`${beacon}/eth/v1/events?topics=payload_attributes`);
      let text = "";
      for await (const chunk of events.body) {
        text += Buffer.from(chunk).toString();
        const parts = text.split("\n\n");
        text = parts.pop();
        for (const part of parts) {
          const line = part.split("\n").find((line) => line.startsWith("data:"));
          if (line) remember(JSON.parse(line.slice(5)).data);
        }
      }
    } catch (error) {
      log("no events", { error: String(error) });
    }
    await sleep(RETRY_MS);
  }
}

function remember(data) {
  attributes.set(`${data.proposal_slot}/${data.parent_block_hash.toLowerCase()}`, data);
  for (const map of [attributes, payloads]) if (map.size > 2 * KEPT) map.delete(map.keys().next().value);
}

function failureOf(slot) {
  return slot < failFrom ? undefined : FAILURES[(slot - failFrom) % FAILURES.length];
}

// Not listening from the middle of the slot before to the middle of the slot: two thirds into a slot the beacon node looks whether
// the relay is well, and asks for no header when it is not.
async function keepAwayInItsSlots() {
  const slotMs = config.SLOT_DURATION_MS;
  const at = (slot) => sleep(Number(genesis.genesis_time) * 1000 + slot * slotMs - Date.now());
  for (let slot = failFrom; ; slot += FAILURES.length) {
    await at(slot - 0.5);
    server.close();
    server.closeAllConnections();
    seen.failures.away = (seen.failures.away ?? 0) + 1;
    log("away", { slot });
    await at(slot + 0.5);
    await listen();
  }
}

async function listen() {
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

async function fetchGenesis() {
  for (;;) {
    try {
      return (await (await fetch(`${beacon}/eth/v1/beacon/genesis`)).json()).data;
    } catch {
      await sleep(RETRY_MS);
    }
  }
}

function report() {
  const registered = [...registrations].map(([pubkey, { message, count }]) => ({
    pubkey,
    fee_recipient: toHex(message.feeRecipient),
    gas_limit: message.gasLimit,
    timestamp: message.timestamp,
    count,
  }));
  const { refused, refusedCount, headers, bids, blindedBlocks, failures } = seen;
  return { registered, refused, refused_count: refusedCount, headers, bids, blinded_blocks: blindedBlocks, failures };
}

function domain(type, version, root) {
  const data = ssz.phase0.ForkData.hashTreeRoot({ currentVersion: version, genesisValidatorsRoot: root });
  return Buffer.concat([type, data.subarray(0, 28)]);
}

function signingRoot(objectRoot, domain) {
  return ssz.phase0.SigningData.hashTreeRoot({ objectRoot, domain });
}

function isSigned(root, pubkey, signature) {
  try {
    return verify(root, PublicKey.fromBytes(pubkey, true), Signature.fromBytes(signature, true));
  } catch {
    return false;
  }
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_LIMIT) throw failure(413, `the body is longer than ${BODY_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isSsz(request) {
  return request.headers["content-type"]?.startsWith(SSZ) ?? false;
}

function json(response, status, body, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function failure(status, message) {
  return Object.assign(Error(message), { status });
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

function log(message, context) {
  console.log(new Date().toISOString().slice(11, 23), message, JSON.stringify(context));
}
