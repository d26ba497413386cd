import { isAddress, isHex, parseEther, type Address, type Hex } from 'viem';
import { CLUSTER_NODE_ABI } from '../../network/abi';
import type { Call } from '../../network/send';
import { sameAddress } from '../../session/session';

/** Everything that a paid request says. The journal keeps it, so that it is recognised on the chain after a reload. */
export interface Asked {
  owner: Address;
  clusterPubkey: Hex;
  validatorCount: number;
  withdrawalAddress: Address;
  operators: readonly { operator_id: number; public_key: string }[];
}

/** The only amount, in wei. */
const DEPOSIT = parseEther('32');

/** As the journal keeps it: public data alone. */
export function aboutOf({ clusterPubkey, validatorCount, withdrawalAddress, operators }: Asked): string[] {
  const members = operators.map(({ operator_id, public_key }) => `${operator_id} ${public_key}`);
  return [clusterPubkey, String(validatorCount), withdrawalAddress, ...members];
}

/** What the journal kept, or undefined when it does not make sense. */
export function parseAbout(owner: Address, about: readonly string[]): Asked | undefined {
  const [clusterPubkey, count, withdrawalAddress, ...members] = about;
  if (!clusterPubkey || !isHex(clusterPubkey)) return undefined;
  if (!count || !/^[1-9]\d{0,8}$/.test(count)) return undefined;
  if (!withdrawalAddress || !isAddress(withdrawalAddress)) return undefined;
  const operators = members.flatMap((member) => {
    const [, id, key] = /^(\d{1,9}) (0x[0-9a-f]+)$/i.exec(member) ?? [];
    return id && key ? [{ operator_id: Number(id), public_key: key }] : [];
  });
  if (operators.length === 0 || operators.length !== members.length) return undefined;
  return { owner, clusterPubkey, validatorCount: Number(count), withdrawalAddress, operators };
}

interface Event {
  clusterNodePublicKey: Hex;
  owner: Address;
  validatorCount: bigint;
  operatorIds: readonly number[];
  withdrawAddress: Address;
}

/** Whether an event of the contract is what was asked. */
export function sameRequest(event: Event, asked: Asked): boolean {
  return (
    sameAddress(event.owner, asked.owner) &&
    event.clusterNodePublicKey.toLowerCase() === asked.clusterPubkey.toLowerCase() &&
    event.validatorCount === BigInt(asked.validatorCount) &&
    sameAddress(event.withdrawAddress, asked.withdrawalAddress) &&
    event.operatorIds.join() === asked.operators.map(({ operator_id }) => operator_id).join()
  );
}

/** The call that asks and pays. `value` is undefined where the fee is taken in a token. */
export function requestCall(contract: Address, asked: Asked, ownerKey: Hex, value: bigint | undefined): Call {
  return {
    address: contract,
    abi: CLUSTER_NODE_ABI,
    functionName: 'generateDepositData',
    args: [
      asked.clusterPubkey,
      asked.owner,
      ownerKey,
      BigInt(asked.validatorCount),
      asked.operators.map(({ operator_id }) => operator_id),
      DEPOSIT,
      asked.withdrawalAddress,
    ],
    ...(value === undefined ? {} : { value }),
  };
}

/** The call that makes the caller the owner of a cluster node in the contract. */
export function registerNodeCall(contract: Address, clusterPubkey: Hex): Call {
  return {
    address: contract,
    abi: CLUSTER_NODE_ABI,
    functionName: 'registerClusterNode',
    args: [clusterPubkey],
  };
}
