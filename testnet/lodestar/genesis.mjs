// A genesis state whose validators have given public keys, followed by Lodestar's interop validators.
import { aggregatePublicKeys, PublicKey } from "@chainsafe/blst";
import { nodeUtils } from "@lodestar/beacon-node";
import { fromHex, toHex } from "@lodestar/utils";

// Stands for an execution block that never was; the mock execution engine knows it.
const GENESIS_BLOCK_HASH = Buffer.alloc(32, 0x0b);
const DEFAULT_CREDENTIALS = Buffer.concat([Buffer.from([1]), Buffer.alloc(11), Buffer.alloc(20, 0xaa)]);

const bytes = (text) => fromHex(text.startsWith("0x") ? text : `0x${text}`);

// `validators`: [{pubkey, withdrawal_credentials?}], a deposit_data.json for example. The result depends on the arguments
// only, so that every node of a network builds the same state. Interop validator i has interop key i, after them too.
export function makeGenesis(config, { validators, interop, genesisTime }) {
  const count = validators.length + interop;
  if (count === 0) throw Error("a chain needs validators");
  // Shuffling, balances and committees depend on indices only: start with interop keys and replace them.
  const start = nodeUtils.initDevState(config, count, {
    genesisTime,
    eth1BlockHash: GENESIS_BLOCK_HASH,
    withEth1Credentials: true,
  });
  const stateType = config.getForkTypes(0).BeaconState;
  const state = stateType.deserializeToViewDU(start.serialize());
  const replaced = new Map();
  validators.forEach((given, index) => {
    const pubkey = bytes(given.pubkey);
    PublicKey.fromBytes(pubkey, true); // on the curve, in the subgroup, not infinity
    const validator = state.validators.get(index);
    replaced.set(toHex(validator.pubkey), pubkey);
    validator.pubkey = pubkey;
    validator.withdrawalCredentials = given.withdrawal_credentials
      ? bytes(given.withdrawal_credentials)
      : DEFAULT_CREDENTIALS;
  });
  state.commit();
  // Sync committees hold public keys and their sum.
  for (const name of ["currentSyncCommittee", "nextSyncCommittee"]) {
    const committee = state[name].toValue();
    committee.pubkeys = committee.pubkeys.map((pubkey) => replaced.get(toHex(pubkey)) ?? pubkey);
    committee.aggregatePubkey = aggregatePublicKeys(committee.pubkeys.map((p) => PublicKey.fromBytes(p))).toBytes();
    state[name] = stateType.fields[name].toViewDU(committee);
  }
  state.genesisValidatorsRoot = state.validators.hashTreeRoot();
  state.commit();
  return state;
}
