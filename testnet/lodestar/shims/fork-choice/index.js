// Test stand-in for @lodestar/fork-choice: a small, naive LMD-GHOST over an in-memory block tree (pre-Gloas).
// Written for a single dev node with tens of blocks between finalised checkpoints; everything is O(tree).
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { toRootHex } from "@lodestar/utils";

const mk = (...ks) => Object.freeze(Object.fromEntries(ks.map((k) => [k, k])));
export const ExecutionStatus = mk("Valid", "Syncing", "PreMerge", "Invalid", "PayloadSeparated");
export const PayloadStatus = Object.freeze({ PENDING: 0, EMPTY: 1, FULL: 2 });
export const EpochDifference = Object.freeze({ current: 0, previous: 1 });
export const AncestorStatus = Object.freeze({
  CommonAncestor: 0,
  Descendant: 1,
  NoCommonAncenstor: 2,
  BlockUnknown: 3,
});
export const NotReorgedReason = Object.freeze({
  Unknown: "unknown",
  ProposerBoostReorgDisabled: "proposerBoostReorgDisabled",
  NotProposerOfNextSlot: "notProposerOfNextSlot",
  NotShufflingStable: "notShufflingStable",
  HeadBlockIsTimely: "headBlockIsTimely",
});
export const UpdateHeadOpt = Object.freeze({
  GetCanonicalHead: "getCanonicalHead",
  GetProposerHead: "getProposerHead",
  GetPredictedProposerHead: "getPredictedProposerHead",
});
export const ForkChoiceErrorCode = mk(
  "INVALID_ATTESTATION",
  "INVALID_BLOCK",
  "MISSING_PROTO_ARRAY_BLOCK",
  "UNKNOWN_ANCESTOR",
);
export class ForkChoiceError extends Error {
  constructor(type) {
    super(type.code);
    this.type = type;
  }
}
const ZERO = "0x" + "00".repeat(32);
export const getSafeExecutionBlockHash = (fc) => fc.getJustifiedBlock().executionPayloadBlockHash ?? ZERO;
export const getForkChoiceMetrics = () => ({});

const epochOf = (slot) => Math.floor(slot / SLOTS_PER_EPOCH);
const withHex = (cp) => ({ epoch: cp.epoch, root: cp.root, rootHex: cp.rootHex ?? toRootHex(cp.root) });

export class ForkChoiceStore {
  constructor(currentSlot, justified, finalized, balances, balancesGetter, stateGetter, events) {
    Object.assign(this, { currentSlot, balances, balancesGetter, events });
    this.justified = withHex(justified);
    this.finalized = withHex(finalized);
    this.unrealizedJustified = this.justified;
    this.unrealizedFinalized = this.finalized;
    this.equivocators = new Set();
    this.boostRoot = ZERO;
  }
}
export class ProtoArray {
  static initialize(block) {
    const p = new ProtoArray();
    p.onBlock({ ...block, targetRoot: block.targetRoot ?? block.blockRoot });
    return p;
  }
  nodes = new Map();
  onBlock(b) {
    if (!this.nodes.has(b.blockRoot)) this.nodes.set(b.blockRoot, b);
  }
  length() {
    return this.nodes.size;
  }
}

export class ForkChoice {
  constructor(config, store, tree, _validatorCount, _metrics, opts, logger) {
    Object.assign(this, { config, store, opts, logger });
    this.nodes = tree.nodes;
    this.votes = new Map();
    this.queued = [];
    this.anchorRoot = this.nodes.keys().next().value;
    this.head = this.#findHead();
  }
  // ---- time
  getTime() {
    return this.store.currentSlot;
  }
  updateTime(slot) {
    for (let s = this.store.currentSlot + 1; s <= slot; s++) {
      this.store.currentSlot = s;
      this.store.boostRoot = ZERO;
      if (s % SLOTS_PER_EPOCH === 0)
        this.#updateCheckpoints(this.store.unrealizedJustified, this.store.unrealizedFinalized, null);
    }
    const due = this.queued.filter((q) => q.slot < this.store.currentSlot);
    this.queued = this.queued.filter((q) => q.slot >= this.store.currentSlot);
    for (const q of due) this.#vote(q);
  }
  // ---- input
  onBlock(block, state, delaySec, currentSlot, executionStatus, dataAvailabilityStatus) {
    const parentRoot = toRootHex(block.parentRoot);
    const parent = this.nodes.get(parentRoot);
    if (!parent)
      throw new ForkChoiceError({
        code: ForkChoiceErrorCode.INVALID_BLOCK,
        err: { code: "UNKNOWN_PARENT", root: parentRoot },
      });
    const blockRoot = toRootHex(this.config.getForkTypes(block.slot).BeaconBlock.hashTreeRoot(block));
    const timely =
      currentSlot === block.slot &&
      delaySec * 1000 < this.config.getAttestationDueMs(this.config.getForkName(block.slot));
    if (this.opts?.proposerBoost !== false && timely && this.store.boostRoot === ZERO) this.store.boostRoot = blockRoot;
    const j = withHex(state.currentJustifiedCheckpoint),
      f = withHex(state.finalizedCheckpoint);
    const un = state.computeUnrealizedCheckpoints();
    const uj = withHex(un.justifiedCheckpoint),
      uf = withHex(un.finalizedCheckpoint);
    const epoch = epochOf(block.slot);
    const targetSlot = epoch * SLOTS_PER_EPOCH;
    const targetRoot = targetSlot === block.slot ? blockRoot : toRootHex(state.getBlockRootAtSlot(targetSlot));
    const payload = block.body.executionPayload;
    const node = {
      slot: block.slot,
      blockRoot,
      parentRoot,
      stateRoot: toRootHex(block.stateRoot),
      targetRoot,
      timeliness: timely,
      justifiedEpoch: j.epoch,
      justifiedRoot: j.rootHex,
      finalizedEpoch: f.epoch,
      finalizedRoot: f.rootHex,
      unrealizedJustifiedEpoch: uj.epoch,
      unrealizedJustifiedRoot: uj.rootHex,
      unrealizedFinalizedEpoch: uf.epoch,
      unrealizedFinalizedRoot: uf.rootHex,
      executionPayloadBlockHash: payload ? toRootHex(payload.blockHash) : null,
      executionPayloadNumber: payload?.blockNumber,
      executionPayloadGasLimit: payload?.gasLimit,
      executionStatus,
      dataAvailabilityStatus,
      payloadStatus: PayloadStatus.FULL,
      parentBlockHash: null,
    };
    this.nodes.set(blockRoot, node);
    this.#updateCheckpoints(j, f, state);
    if (uj.epoch > this.store.unrealizedJustified.epoch) this.store.unrealizedJustified = uj;
    if (uf.epoch > this.store.unrealizedFinalized.epoch) this.store.unrealizedFinalized = uf;
    if (epoch < epochOf(currentSlot)) this.#updateCheckpoints(uj, uf, state);
    return node;
  }
  onAttestation(indexed) {
    const v = {
      indices: indexed.attestingIndices,
      slot: indexed.data.slot,
      epoch: indexed.data.target.epoch,
      root: toRootHex(indexed.data.beaconBlockRoot),
    };
    v.slot < this.store.currentSlot ? this.#vote(v) : this.queued.push(v);
  }
  onAttesterSlashing({ attestation1, attestation2 }) {
    const a = new Set(attestation1.attestingIndices.map(Number));
    for (const i of attestation2.attestingIndices) if (a.has(Number(i))) this.store.equivocators.add(Number(i));
  }
  validateLatestHash() {}
  notifyPtcMessages() {}
  onExecutionPayload() {}
  onInclusionList() {}
  setPruneThreshold() {}
  #vote({ indices, epoch, root }) {
    for (const i of indices) {
      const prev = this.votes.get(i);
      if (!prev || epoch > prev.epoch) this.votes.set(i, { epoch, root });
    }
  }
  #updateCheckpoints(j, f, state) {
    const s = this.store;
    if (j.epoch > s.justified.epoch) {
      s.justified = j;
      s.balances = s.balancesGetter(j, state ?? undefined) ?? s.balances;
      s.events?.onJustified?.(j);
    }
    if (f.epoch > s.finalized.epoch) {
      s.finalized = f;
      s.events?.onFinalized?.(f);
    }
  }
  // ---- head
  #findHead() {
    const { justified, balances, equivocators, boostRoot, currentSlot } = this.store;
    const children = new Map();
    for (const n of this.nodes.values())
      if (n.blockRoot !== n.parentRoot)
        (children.get(n.parentRoot) ?? children.set(n.parentRoot, []).get(n.parentRoot)).push(n);
    const own = new Map();
    let total = 0;
    for (const b of balances) total += b;
    for (const [i, v] of this.votes)
      if (!equivocators.has(Number(i))) own.set(v.root, (own.get(v.root) ?? 0) + (balances[i] ?? 0));
    if (boostRoot !== ZERO) own.set(boostRoot, (own.get(boostRoot) ?? 0) + Math.floor((total / SLOTS_PER_EPOCH) * 0.4));
    const memo = new Map();
    const visit = (n) => {
      // -> {w, viable}
      let r = memo.get(n.blockRoot);
      if (r) return r;
      const kids = children.get(n.blockRoot) ?? [];
      let w = own.get(n.blockRoot) ?? 0,
        viable = false;
      for (const k of kids) {
        const c = visit(k);
        w += c.w;
        viable ||= c.viable;
      }
      if (kids.length === 0) {
        const cur = epochOf(currentSlot);
        const src = epochOf(n.slot) < cur ? n.unrealizedJustifiedEpoch : n.justifiedEpoch;
        viable =
          n.executionStatus !== ExecutionStatus.Invalid &&
          (justified.epoch === 0 || src === justified.epoch || src + 2 >= cur);
      }
      memo.set(n.blockRoot, (r = { w, viable }));
      return r;
    };
    let node =
      this.nodes.get(justified.rootHex) ??
      this.nodes.get(this.store.finalized.rootHex) ??
      this.nodes.get(this.anchorRoot);
    for (;;) {
      const kids = (children.get(node.blockRoot) ?? []).filter((k) => visit(k).viable);
      if (kids.length === 0) return node;
      node = kids.reduce((a, b) =>
        visit(b).w > visit(a).w || (visit(b).w === visit(a).w && b.blockRoot > a.blockRoot) ? b : a,
      );
    }
  }
  updateAndGetHead() {
    this.head = this.#findHead();
    return { head: this.head };
  }
  getHead() {
    return this.head;
  }
  getAttesterHead() {
    return this.head;
  }
  getHeadRoot() {
    return this.head.blockRoot;
  }
  getHeads() {
    const parents = new Set([...this.nodes.values()].map((n) => n.parentRoot));
    return [...this.nodes.values()].filter((n) => !parents.has(n.blockRoot));
  }
  shouldOverrideForkChoiceUpdate() {
    return { shouldOverrideFcu: false, reason: NotReorgedReason.ProposerBoostReorgDisabled };
  }
  shouldBuildOnFull() {
    return true;
  }
  shouldExtendPayload() {
    return true;
  }
  // ---- queries
  getFinalizedCheckpoint() {
    return this.store.finalized;
  }
  getJustifiedCheckpoint() {
    return this.store.justified;
  }
  getUnrealizedJustifiedCheckpoint() {
    return this.store.unrealizedJustified;
  }
  getUnrealizedFinalizedCheckpoint() {
    return this.store.unrealizedFinalized;
  }
  getFinalizedCheckpointSlot() {
    return this.store.finalized.epoch * SLOTS_PER_EPOCH;
  }
  getProposerBoostRoot() {
    return this.store.boostRoot;
  }
  getPreviousProposerBoostRoot() {
    return ZERO;
  }
  getPTCVotes() {
    return null;
  }
  getPTCVoteCounts() {
    return null;
  }
  getConfirmedRoot() {
    return this.store.justified.rootHex;
  }
  getConfirmedBlock() {
    return this.getJustifiedBlock();
  }
  #get(h) {
    return this.nodes.get(h) ?? null;
  }
  getFinalizedBlock() {
    return this.#get(this.store.finalized.rootHex) ?? this.#get(this.anchorRoot);
  }
  getJustifiedBlock() {
    return this.#get(this.store.justified.rootHex) ?? this.getFinalizedBlock();
  }
  hasBlock(r) {
    return this.nodes.has(toRootHex(r));
  }
  hasBlockHex(h) {
    return this.nodes.has(h);
  }
  hasBlockUnsafe(r) {
    return this.nodes.has(toRootHex(r));
  }
  hasBlockHexUnsafe(h) {
    return this.nodes.has(h);
  }
  hasPayloadUnsafe(r) {
    return this.nodes.has(toRootHex(r));
  }
  hasPayloadHexUnsafe(h) {
    return this.nodes.has(h);
  }
  getBlock(r) {
    return this.#get(toRootHex(r));
  }
  getBlockHex(h) {
    return this.#get(h);
  }
  getBlockDefaultStatus(r) {
    return this.#get(toRootHex(r));
  }
  getBlockHexDefaultStatus(h) {
    return this.#get(h);
  }
  getBlockHexAndBlockHash(h, blockHash) {
    const n = this.#get(h);
    return n && n.executionPayloadBlockHash === blockHash ? n : null;
  }
  *#up(h) {
    let n = this.#get(h);
    while (n) {
      yield n;
      if (n.parentRoot === n.blockRoot) return;
      n = this.#get(n.parentRoot);
    }
  }
  *iterateAncestorBlocks(h) {
    let first = true;
    for (const n of this.#up(h)) {
      if (!first) yield n;
      first = false;
    }
  }
  getAllAncestorBlocks(h) {
    const a = [...this.#up(h)];
    return a.length > 1 ? a.slice(0, -1) : a;
  }
  getAllNonAncestorBlocks(h) {
    const a = new Set([...this.#up(h)].map((n) => n.blockRoot));
    const t = this.#get(h);
    return [...this.nodes.values()].filter((n) => !a.has(n.blockRoot) && n.slot <= (t?.slot ?? -1));
  }
  getAllAncestorAndNonAncestorBlocks(h) {
    return { ancestors: [...this.#up(h)], nonAncestors: this.getAllNonAncestorBlocks(h) };
  }
  getAllAncestorAndNonAncestorBlocksDefaultStatus(h) {
    return this.getAllAncestorAndNonAncestorBlocks(h);
  }
  isDescendant(anc, _s, desc) {
    if (!this.nodes.has(anc)) return false;
    for (const n of this.#up(desc)) if (n.blockRoot === anc) return true;
    return false;
  }
  getAncestor(h, slot) {
    for (const n of this.#up(h)) if (n.slot <= slot) return n;
    throw new ForkChoiceError({ code: ForkChoiceErrorCode.UNKNOWN_ANCESTOR });
  }
  getCanonicalBlockByRoot(r) {
    const h = toRootHex(r);
    for (const n of this.#up(this.head.blockRoot)) if (n.blockRoot === h) return n;
    return null;
  }
  getCanonicalBlockAtSlot(slot) {
    const n = this.getCanonicalBlockClosestLteSlot(slot);
    return n?.slot === slot ? n : null;
  }
  getCanonicalBlockClosestLteSlot(slot) {
    for (const n of this.#up(this.head.blockRoot)) if (n.slot <= slot) return n;
    return null;
  }
  forwarditerateAncestorBlocks() {
    return [...this.nodes.values()];
  }
  *forwardIterateDescendants(h) {
    for (const n of this.nodes.values()) if (n.blockRoot !== h && this.isDescendant(h, null, n.blockRoot)) yield n;
  }
  *forwardIterateDescendantsDefaultStatus(h) {
    yield* this.forwardIterateDescendants(h);
  }
  getBlockSummariesByParentRoot(p) {
    return [...this.nodes.values()].filter((n) => n.parentRoot === p);
  }
  getBlockSummariesAtSlot(s) {
    return [...this.nodes.values()].filter((n) => n.slot === s);
  }
  getAllNodes() {
    return [...this.nodes.values()].map((n) => ({ ...n, weight: 0 }));
  }
  getSlotsPresent(windowStart) {
    let c = 0;
    for (const n of this.#up(this.head.blockRoot)) if (n.slot > windowStart) c++;
    return c;
  }
  getCommonAncestorDepth(prev, next) {
    const up = [...this.#up(next.blockRoot)];
    if (up.some((n) => n.blockRoot === prev.blockRoot)) return { code: AncestorStatus.Descendant };
    const set = new Map(up.map((n) => [n.blockRoot, n]));
    for (const n of this.#up(prev.blockRoot))
      if (set.has(n.blockRoot))
        return { code: AncestorStatus.CommonAncestor, depth: Math.max(prev.slot, next.slot) - n.slot };
    return { code: AncestorStatus.NoCommonAncenstor };
  }
  // root of the last block before the start of epoch(block) - diff
  getDependentRoot(block, diff) {
    const slot = (epochOf(block.slot) - diff) * SLOTS_PER_EPOCH - 1;
    let last = null;
    for (const n of this.#up(block.blockRoot)) {
      if (n.slot <= Math.max(slot, 0)) return n.blockRoot;
      last = n;
    }
    if (last && slot <= 0 && last.slot === 0) return last.blockRoot;
    if (last && last.slot === slot + 1) return last.parentRoot; // pruned tree: its root is the first block of the finalised epoch
    throw Error(`No block for root, dependent slot ${slot} of ${block.blockRoot}`);
  }
  prune(finalizedRoot) {
    const keep = this.#get(finalizedRoot);
    if (!keep) return [];
    const removed = [...this.nodes.values()].filter(
      (n) => n.blockRoot !== finalizedRoot && !this.isDescendant(finalizedRoot, null, n.blockRoot),
    );
    for (const n of removed) this.nodes.delete(n.blockRoot);
    this.anchorRoot = finalizedRoot;
    return removed;
  }
}
