// In place of p2p: what a node publishes goes to its peers' Beacon API, and their blocks are pulled from there.
//
// Publishing succeeds with zero peers as well. `kill -USR2` cuts a node off from its peers, a second one reconnects it.
import { EventEmitter } from "node:events";

import { Network } from "@lodestar/beacon-node/network";
import { ForkSeq } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { toHex } from "@lodestar/utils";

const REMEMBERED_MESSAGES = 20_000;
const RECONNECT_MS = 300;

let connected = true;

// Replaces Lodestar's network by one that knows `peers`, the base URLs of other nodes.
export function replaceNetwork(config, peers, log) {
  process.on("SIGUSR2", () => {
    connected = !connected;
    log.info("peers", { connected });
  });
  const publish = publisher(config, peers);
  Network.init = async ({ chain }) => {
    const methods = emptyNetwork(chain);
    const get = (target, name) => {
      if (name in target) return target[name];
      if (typeof name !== "string" || name === "then") return undefined;
      if (name.startsWith("publish")) {
        return async (message) => {
          publish[name]?.(message);
          return 1;
        };
      }
      return () => {
        throw Error(`network.${name}: this node has no p2p`);
      };
    };
    return new Proxy(methods, { get });
  };
}

// Follows one peer's block events and imports what is missing here, through this node's own API. Never returns.
export async function followPeer(peer, self, config, chain, log) {
  let busy = false;
  let again = false;
  const sync = async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again && connected) {
        again = false;
        for (const block of await missingBlocks(peer, config, chain)) await importBlock(self, block);
      }
    } catch (error) {
      log.debug("pull failed", { peer, error: String(error) });
    } finally {
      busy = false;
    }
  };
  for (;;) {
    try {
      await sync();
      const events = await fetch(`${peer}/eth/v1/events?topics=block`);
      for await (const chunk of events.body) if (Buffer.from(chunk).includes("event: block")) sync();
    } catch {
      // The peer is down; it may come back.
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

// From the oldest block that is unknown here to the peer's head.
async function missingBlocks(peer, config, chain) {
  const fetchBlock = async (id) => {
    const response = await fetch(`${peer}/eth/v2/beacon/blocks/${id}`);
    if (!response.ok) throw Error(`${peer} answered ${response.status} for block ${id}`);
    return response.json();
  };
  const known = (root) => chain.forkChoice.hasBlockHexUnsafe(root);
  const missing = [];
  let block = await fetchBlock("head");
  for (;;) {
    const { message } = block.data;
    const type = config.getForkTypes(Number(message.slot)).BeaconBlock;
    if (known(toHex(type.hashTreeRoot(type.fromJson(message))))) return missing;
    missing.unshift(block);
    if (known(message.parent_root)) return missing;
    block = await fetchBlock(message.parent_root);
  }
}

// Blobs are not pulled: networks of several nodes run without them.
async function importBlock(self, block) {
  const response = await fetch(`${self}/eth/v2/beacon/blocks`, {
    method: "POST",
    headers: { "content-type": "application/json", "eth-consensus-version": block.version },
    body: JSON.stringify({ signed_block: block.data, kzg_proofs: [], blobs: [] }),
  });
  await response.text();
}

// Each message leaves a node at most once, so that peers do not bounce it for ever.
function publisher(config, peers) {
  const sent = new Set();
  const push = (path, fork, body) => {
    const text = JSON.stringify(body);
    if (!connected || sent.has(path + text)) return;
    if (sent.size >= REMEMBERED_MESSAGES) sent.clear();
    sent.add(path + text);
    const headers = { "content-type": "application/json", "eth-consensus-version": fork };
    for (const peer of peers) {
      fetch(peer + path, { method: "POST", headers, body: text })
        .then((response) => response.text())
        .catch(() => {});
    }
  };
  const forkOf = (slot) => config.getForkName(slot);
  const containers = (fork) => (ForkSeq[fork] >= ForkSeq.electra ? ssz.electra : ssz.phase0);
  return {
    publishBeaconAttestation: (attestation) => {
      const fork = forkOf(attestation.data.slot);
      const type = ForkSeq[fork] >= ForkSeq.electra ? ssz.electra.SingleAttestation : ssz.phase0.Attestation;
      push("/eth/v2/beacon/pool/attestations", fork, [type.toJson(attestation)]);
    },
    publishBeaconAggregateAndProof: (signed) => {
      const fork = forkOf(signed.message.aggregate.data.slot);
      const body = [containers(fork).SignedAggregateAndProof.toJson(signed)];
      push("/eth/v2/validator/aggregate_and_proofs", fork, body);
    },
    publishSyncCommitteeSignature: (message) => {
      const body = [ssz.altair.SyncCommitteeMessage.toJson(message)];
      push("/eth/v1/beacon/pool/sync_committees", forkOf(message.slot), body);
    },
    publishContributionAndProof: (signed) => {
      const body = [ssz.altair.SignedContributionAndProof.toJson(signed)];
      push("/eth/v1/validator/contribution_and_proofs", forkOf(signed.message.contribution.slot), body);
    },
    publishVoluntaryExit: (signed) => {
      push("/eth/v1/beacon/pool/voluntary_exits", "electra", ssz.phase0.SignedVoluntaryExit.toJson(signed));
    },
  };
}

function emptyNetwork(chain) {
  const metadata = {
    seqNumber: 0n,
    attnets: { uint8Array: new Uint8Array(8) },
    syncnets: { uint8Array: new Uint8Array(1) },
  };
  const identity = { peerId: "testnet", enr: "", p2pAddresses: [], discoveryAddresses: [], metadata };
  return {
    events: new EventEmitter(),
    closed: false,
    custodyConfig: chain.custodyConfig,
    close: async () => {},
    scrapeMetrics: async () => "",
    getConnectedPeerCount: () => 0,
    getConnectedPeers: () => [],
    getConnectedPeerSyncMeta: () => {
      throw Error("this node has no peers");
    },
    dumpPeers: async () => [],
    dumpPeer: async () => undefined,
    getNetworkIdentity: async () => identity,
    isSubscribedToGossipCoreTopics: () => true,
    subscribeGossipCoreTopics: async () => {},
    unsubscribeGossipCoreTopics: async () => {},
    shouldAggregate: () => true,
    searchUnknownBlock: () => {},
    reportPeer: () => {},
    prepareBeaconCommitteeSubnets: async () => {},
    prepareSyncCommitteeSubnets: async () => {},
  };
}
