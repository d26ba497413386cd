import { isHex, type Hex } from 'viem';
import { decodeKeyCall, type KeyCall, type SubmittedKey } from './csm';

/** The data of all transactions in a text: one data field in hex, or a batch as Safe's transaction builder saves it. */
export function transactionData(text: string): Hex[] {
  const trimmed = text.trim();
  if (isHex(trimmed)) return [lower(trimmed)];
  let parsed: unknown;
  try {
    parsed = JSON.parse(trimmed);
  } catch {
    throw new Error('Paste the data of the transaction (0x…), or the JSON of a Safe batch.');
  }
  const list: unknown =
    typeof parsed === 'object' && parsed !== null && 'transactions' in parsed
      ? parsed.transactions
      : [parsed];
  const entries: unknown[] = Array.isArray(list) ? list : [];
  const data = entries.map((entry) =>
    typeof entry === 'object' && entry !== null && 'data' in entry ? entry.data : undefined,
  );
  if (data.length === 0 || !data.every((one): one is Hex => isHex(one))) {
    throw new Error(
      'A transaction of this batch has no data in hex; open it in the Safe app and paste its data here.',
    );
  }
  return data.map(lower);
}

/** Some tools write capital letters; selectors are compared as text. */
function lower(data: Hex): Hex {
  return `0x${data.slice(2).toLowerCase()}`;
}

export interface Comparison {
  calls: readonly KeyCall[];
  /** Keys that the transaction brings and the ceremony did not make. */
  foreign: readonly Hex[];
  /** Keys of the ceremony whose signature is another one in the transaction. */
  otherSignature: readonly Hex[];
  /** Keys that come more than once. */
  repeated: readonly Hex[];
  /** Keys of the ceremony that the transaction does not bring. */
  left: readonly Hex[];
  matching: number;
}

/** Holds the keys of transactions against those of a verified certificate. */
export function compare(text: string, made: readonly SubmittedKey[]): Comparison {
  const calls = transactionData(text).map(decodeKeyCall);
  const signatures = new Map(
    made.map(({ pubkey, signature }) => [pubkey.toLowerCase(), signature.toLowerCase()]),
  );
  const seen = new Set<string>();
  const foreign: Hex[] = [];
  const otherSignature: Hex[] = [];
  const repeated: Hex[] = [];
  for (const { pubkey, signature } of calls.flatMap((call) => call.keys)) {
    const expected = signatures.get(pubkey);
    if (seen.has(pubkey)) repeated.push(pubkey);
    else if (expected === undefined) foreign.push(pubkey);
    else if (expected !== signature) otherSignature.push(pubkey);
    seen.add(pubkey);
  }
  const left = made.map(({ pubkey }) => pubkey).filter((pubkey) => !seen.has(pubkey.toLowerCase()));
  const matching = made.length - left.length - otherSignature.length;
  return { calls, foreign, otherSignature, repeated, left, matching };
}

/** Whether a member may confirm: everything in the transaction is the ceremony's own. */
export function mayConfirm({ foreign, otherSignature, repeated, matching }: Comparison): boolean {
  return foreign.length === 0 && otherSignature.length === 0 && repeated.length === 0 && matching > 0;
}
