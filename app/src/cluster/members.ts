import { isAddress, isHex, keccak256, size, toBytes, type Address, type Hex } from 'viem';

/** A member's signature over the cluster: "these are our keys". */
export interface MemberSignature {
  address: Address;
  signature: Hex;
}

/** The file that members hand on, each adding a signature. */
export interface MembersFile {
  kind: 'cluster-node/members/1';
  ceremony_id: string;
  certificate_digest: Hex;
  signatures: readonly MemberSignature[];
}

const KIND = 'cluster-node/members/1';
/** Members of one file, and bytes of the signature of a contract wallet. */
const MOST = 50;
const SIGNATURE_BYTES = 4_096;

/** What members sign stands for the certificate as a file: one other byte is another cluster. */
export function certificateDigest(certificate: string): Hex {
  return keccak256(toBytes(certificate));
}

/** EIP-712 document that a member signs. */
export function membership(chainId: number, ceremonyId: Hex, digest: Hex, member: Address) {
  return {
    domain: { name: 'Cluster Node', version: '1', chainId },
    types: {
      ClusterMembership: [
        { name: 'statement', type: 'string' },
        { name: 'ceremonyId', type: 'bytes32' },
        { name: 'certificateDigest', type: 'bytes32' },
        { name: 'member', type: 'address' },
      ],
    },
    primaryType: 'ClusterMembership',
    message: {
      statement: 'I am a member of this cluster and have verified its certificate.',
      ceremonyId,
      certificateDigest: digest,
      member,
    },
  } as const;
}

/** Reads a members' file for this certificate; an error says why it is none. */
export function parseMembers(text: string, ceremonyId: string, digest: Hex): readonly MemberSignature[] {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON.');
  }
  const wrong = new Error('The file is no list of member signatures.');
  if (typeof read !== 'object' || read === null) throw wrong;
  const { kind, ceremony_id, certificate_digest, signatures } = read as Record<string, unknown>;
  if (kind !== KIND || !Array.isArray(signatures) || signatures.length > MOST) throw wrong;
  if (ceremony_id !== ceremonyId || certificate_digest !== digest)
    throw new Error('These signatures are for another certificate.');
  if (!signatures.every(isSignature)) throw wrong;
  return signatures;
}

function isSignature(value: unknown): value is MemberSignature {
  if (typeof value !== 'object' || value === null) return false;
  const { address, signature } = value as Record<string, unknown>;
  return (
    typeof address === 'string' &&
    isAddress(address) &&
    isHex(signature) &&
    size(signature) <= SIGNATURE_BYTES
  );
}

/** Both lists, every member once; the newer signature stays. */
export function merge(held: readonly MemberSignature[], more: readonly MemberSignature[]): MemberSignature[] {
  const members = new Map(held.map((one) => [one.address.toLowerCase(), one]));
  for (const one of more) members.set(one.address.toLowerCase(), one);
  return [...members.values()].slice(0, MOST);
}

export function membersFile(ceremonyId: string, digest: Hex, signatures: readonly MemberSignature[]): string {
  const file: MembersFile = { kind: KIND, ceremony_id: ceremonyId, certificate_digest: digest, signatures };
  return JSON.stringify(file, undefined, 2);
}
