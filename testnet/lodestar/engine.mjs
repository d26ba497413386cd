// What Lodestar's mock execution engine lacks: withdrawals, deposit requests, and payloads without blobs.
import fs from "node:fs";

import { ssz } from "@lodestar/types";
import { fromHex, toHex } from "@lodestar/utils";

// Not among the package's exports.
const beaconNode = import.meta.resolve("@lodestar/beacon-node");
const { ExecutionEngineMockBackend } = await import(new URL("execution/engine/mock.js", beaconNode));
const { kzg } = await import(new URL("util/kzg.js", beaconNode));

// The mock builds every payload with up to three copies of one blob, also where they are left out below. In Fulu the proofs of one take a third of
// a second, in which the node answers nobody: two thirds into a slot, when validators aggregate. So they are computed once.
for (const method of ["blobToKzgCommitment", "computeCellsAndKzgProofs", "computeBlobKzgProof"]) {
  const compute = kzg[method].bind(kzg);
  let last;
  kzg[method] = (blob, ...others) => {
    if (last === undefined || Buffer.compare(last.blob, blob) !== 0) {
      last = { blob: Uint8Array.from(blob), answer: compute(blob, ...others) };
    }
    return last.answer;
  };
}

// `depositsFile` (a deposit_data.json) is read whenever it is there; its deposits go into payloads as EIP-6110 requests until
// a block has them. Returns the function to call with each new block.
export function completeEngine({ blobs, depositsFile }, log) {
  const deposits = new Deposits(depositsFile, log);
  const original = ExecutionEngineMockBackend.prototype.notifyForkchoiceUpdate;
  ExecutionEngineMockBackend.prototype.notifyForkchoiceUpdate = function (forkChoice, attributes) {
    const answer = original.call(this, forkChoice, attributes);
    const payload = answer.payloadId === null ? undefined : this.preparingPayloads.get(Number(answer.payloadId));
    if (payload === undefined) return answer;
    // The mock builds payloads without withdrawals, which is invalid once a validator has more than 32 ETH.
    if (attributes.withdrawals) payload.executionPayload.withdrawals = attributes.withdrawals;
    if (!blobs) {
      payload.blobsBundle = { commitments: [], blobs: [], proofs: [] };
      payload.executionPayload.transactions = [];
    }
    const requests = deposits.pending();
    if (requests.length > 0) {
      // EIP-7685: request type 0.
      payload.executionRequests = [
        `0x00${Buffer.from(ssz.electra.DepositRequests.serialize(requests)).toString("hex")}`,
      ];
    }
    return answer;
  };
  return deposits;
}

class Deposits {
  #file;
  #log;
  #included = new Set();
  #nextIndex = null;

  constructor(file, log) {
    this.#file = file;
    this.#log = log;
  }

  start(depositCount) {
    this.#nextIndex = depositCount;
  }

  onBlock(block) {
    for (const deposit of block.message.body.executionRequests?.deposits ?? []) {
      this.#included.add(toHex(deposit.pubkey));
      this.#nextIndex = Math.max(this.#nextIndex, Number(deposit.index) + 1);
      this.#log.info("deposit included", { pubkey: toHex(deposit.pubkey) });
    }
  }

  pending() {
    if (!this.#file || this.#nextIndex === null || !fs.existsSync(this.#file)) return [];
    const bytes = (text) => fromHex(text.startsWith("0x") ? text : `0x${text}`);
    return JSON.parse(fs.readFileSync(this.#file, "utf8"))
      .filter((deposit) => !this.#included.has(toHex(bytes(deposit.pubkey))))
      .map((deposit, position) => ({
        pubkey: bytes(deposit.pubkey),
        withdrawalCredentials: bytes(deposit.withdrawal_credentials),
        amount: Number(deposit.amount),
        signature: bytes(deposit.signature),
        index: BigInt(this.#nextIndex + position),
      }));
  }
}
