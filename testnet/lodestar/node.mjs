// A beacon node: Lodestar's chain, pools, validation, block production and REST API; no p2p, a mock execution engine, no
// validators of its own. See README.md for the arguments.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { generateKeyPair } from "@libp2p/crypto/keys";
import { BeaconDb, BeaconNode, defaultOptions } from "@lodestar/beacon-node";
import { createBeaconConfig } from "@lodestar/config";
import { LevelDbController } from "@lodestar/db/controller/level";
import { ACTIVE_PRESET } from "@lodestar/params";
import { createBeaconStateView, createPubkeyCache, syncPubkeys } from "@lodestar/state-transition";

import { chainConfig, parseArguments } from "./config.mjs";
import { completeEngine } from "./engine.mjs";
import { makeGenesis } from "./genesis.mjs";
import { followPeer, replaceNetwork } from "./peers.mjs";

const LEVELS = ["error", "warn", "info", "verbose", "debug"];
// Slots behind the clock before the node answers 503 "Node is syncing". Lodestar's own one epoch would lock out a chain that
// stood still while its operators were stopped.
const SYNC_TOLERANCE_SLOTS = 256;
const STATE_METHOD = "getBeaconProposerOrNull";

const { options, params } = parseArguments(process.argv.slice(2));
const log = logger("testnet");
const config = chainConfig(params);
const port = Number(options.port ?? 9596);
const peers = (options.peers ?? "").split(",").filter(Boolean);

const genesisTime = Number(options.genesisTime ?? Math.floor(Date.now() / 1000) + 3);
const validators = options.validators ? JSON.parse(fs.readFileSync(options.validators, "utf8")) : [];
const state = makeGenesis(config, { validators, interop: Number(options.interop ?? 0), genesisTime });
const beaconConfig = createBeaconConfig(config, state.genesisValidatorsRoot);

replaceNetwork(config, peers, log);
const deposits = completeEngine({ blobs: options.blobs !== "0", depositsFile: options.deposits }, log);

const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "testnet-lodestar-"));
const end = (code) => {
  fs.rmSync(dataDir, { recursive: true, force: true });
  process.exit(code);
};
process.on("SIGINT", () => end(0));
process.on("SIGTERM", () => end(0));
if (options.endWithStdin === "1") {
  process.stdin.on("close", () => end(0));
  process.stdin.resume();
}

const node = await startNode();
deposits.start(Number(state.eth1Data.depositCount));
node.chain.emitter.on("block", async ({ block }) => {
  const imported = await node.chain.getBlockByRoot(block);
  if (imported) deposits.onBlock(imported.block);
});
node.chain.clock.on("clock:slot", (slot) => {
  const { forkChoice } = node.chain;
  const [justified, finalized] = [forkChoice.getJustifiedCheckpoint().epoch, forkChoice.getFinalizedCheckpoint().epoch];
  log.info("slot", { slot, head: forkChoice.getHead().slot, justified, finalized });
});
for (const peer of peers) followPeer(peer, `http://127.0.0.1:${port}`, config, node.chain, log);
log.info("ready", {
  preset: ACTIVE_PRESET,
  fork: config.getForkName(0),
  validators: state.validators.length,
  genesisTime,
  slotMs: config.SLOT_DURATION_MS,
});

async function startNode() {
  const pubkeyCache = createPubkeyCache();
  syncPubkeys(pubkeyCache, state.validators.getAllReadonlyValues());
  const anchorState = createBeaconStateView({
    useNative: false,
    anchorState: state,
    config: beaconConfig,
    pubkeyCache,
  });
  // beacon-node 1.44.0 calls a method that state-transition 1.46.0 does not have.
  Object.getPrototypeOf(anchorState)[STATE_METHOD] ??= function (slot) {
    try {
      return this.getBeaconProposer(slot);
    } catch {
      return null;
    }
  };
  return BeaconNode.init({
    opts: nodeOptions(),
    config: beaconConfig,
    pubkeyCache,
    db: new BeaconDb(beaconConfig, await LevelDbController.create()),
    logger: log,
    privateKey: await generateKeyPair("secp256k1"),
    dataDir,
    peerStoreDir: dataDir,
    processShutdownCallback: (error) => {
      log.error("shutdown requested", {}, error);
      end(1);
    },
    anchorState,
    isAnchorStateFinalized: true,
  });
}

function nodeOptions() {
  const { api, chain, executionBuilder, sync } = defaultOptions;
  const namespaces = ["beacon", "config", "debug", "events", "node", "validator", "lodestar"];
  return {
    ...defaultOptions,
    api: {
      ...api,
      version: "testnet",
      rest: { ...api.rest, enabled: true, api: namespaces, address: "127.0.0.1", port, bodyLimit: 64 * 1024 * 1024 },
    },
    chain: {
      ...chain,
      blsVerifyAllMainThread: true,
      suggestedFeeRecipient: `0x${"00".repeat(20)}`,
      disableLightClientServer: true,
      persistInvalidSszObjects: false,
      emitPayloadAttributes: true,
    },
    executionEngine: { mode: "mock" },
    executionBuilder: options.builder
      ? { ...executionBuilder, enabled: true, url: options.builder, timeout: 2000 }
      : { ...executionBuilder, enabled: false },
    sync: { ...sync, isSingleNode: true, backfillBatchSize: 0, slotImportTolerance: SYNC_TOLERANCE_SLOTS },
  };
}

function logger(module) {
  const most = LEVELS.indexOf(options.log ?? "info");
  const written = (context) =>
    JSON.stringify(context, (_, value) => (typeof value === "bigint" ? value.toString() : value));
  const made = { child: (child) => logger(child.module ?? module), trace: () => {} };
  LEVELS.forEach((level, rank) => {
    made[level] = (message, context, error) => {
      if (rank > most) return;
      const time = new Date().toISOString().slice(11, 23);
      const details = context && Object.keys(context).length > 0 ? written(context) : "";
      console.log(time, level, module, message, details, error ? (error.stack ?? error) : "");
    };
  });
  return made;
}
