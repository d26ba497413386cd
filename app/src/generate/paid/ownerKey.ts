import { concat, hashMessage, isHex, recoverPublicKey, size, slice, type Address, type Hex } from 'viem';
import { publicKeyToAddress } from 'viem/utils';
import { sameAddress } from '../../session/session';
import { readStored, useStored, writeStored } from '../../ui/stored';

/**
 * The contract asks for the public key behind the owner's account, which only a signature of the account shows. It is public: every
 * transaction of the account shows it as well. Kept are its 64 bytes without the prefix.
 */
type Keys = Readonly<Record<string, Hex>>;

const STORED = 'owner-keys';
/** Accounts that are remembered. */
const MOST = 20;
const POINT_BYTES = 64;
const PREFIX: Hex = '0x04';

export function parseKeys(value: unknown): Keys {
  if (typeof value !== 'object' || value === null) return NONE;
  const whole = (entry: [string, unknown]): entry is [string, Hex] =>
    typeof entry[1] === 'string' && isHex(entry[1]) && size(entry[1]) === POINT_BYTES;
  return Object.fromEntries(
    Object.entries(value)
      .filter(whole)
      // What somebody else wrote here must not get into a transaction.
      .filter(([address, point]) => sameAddress(publicKeyToAddress(concat([PREFIX, point])), address))
      .slice(-MOST),
  );
}

const NONE: Keys = {};

/** Learns an account's public key from what it signed, where it is an account with a key of its own. False: it is not. */
export async function learnKey(address: Address, message: string, signature: Hex): Promise<boolean> {
  try {
    const key = await recoverPublicKey({ hash: hashMessage(message), signature });
    if (!sameAddress(publicKeyToAddress(key), address)) return false;
    const others = Object.entries(readStored(STORED, parseKeys)).filter(([held]) => held !== lower(address));
    writeStored(STORED, Object.fromEntries([...others, [lower(address), slice(key, 1)]].slice(-MOST)));
    return true;
  } catch {
    // A contract's signature has another form.
    return false;
  }
}

const lower = (address: Address) => address.toLowerCase();

/** The 65 bytes that the contract takes; undefined while the account has shown nothing. */
export function useOwnerKey(address: Address | undefined): Hex | undefined {
  const [keys] = useStored(STORED, parseKeys);
  const point = address && keys[lower(address)];
  return point && concat([PREFIX, point]);
}

/** What is signed for nothing but to show the key. */
export function keyMessage(address: Address): string {
  return `Show my public key to the Cluster Node contract.\nAccount: ${address}\nThis costs nothing and allows nothing.`;
}
