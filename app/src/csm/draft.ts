import { useStored } from '../ui/stored';
import { DEFAULT_BATCH } from './plan';
import type { GateKind, Token } from './queue/types';
import type { Leave } from './queue/send';

/** What is filled in on the page; it survives a reload. Nothing in it is secret. */
export interface Draft {
  /** Id of a node operator, or `new`. */
  target: string;
  gate: GateKind;
  /** Empty means the wallet itself. */
  manager: string;
  reward: string;
  extended: boolean;
  referrer: string;
  proof: string;
  token: Token;
  leave: Leave;
  perBatch: string;
}

export const EMPTY_DRAFT: Draft = {
  target: '',
  gate: 'permissionless',
  manager: '',
  reward: '',
  extended: false,
  referrer: '',
  proof: '',
  token: 'eth',
  leave: 'permit',
  perBatch: String(DEFAULT_BATCH),
};

const GATES: readonly GateKind[] = ['permissionless', 'ics', 'idvtc'];
const TOKENS: readonly Token[] = ['eth', 'steth', 'wsteth'];
/** Some sixty hashes with what separates them. */
const MAX_PROOF_TEXT = 5_000;

export function parseDraft(value: unknown): Draft {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = (name: keyof Draft, most: number) => {
    const held = fields[name];
    return typeof held === 'string' ? held.slice(0, most) : String(EMPTY_DRAFT[name]);
  };
  return {
    target: /^(new|[0-9]{1,20})?$/.test(text('target', 20)) ? text('target', 20) : '',
    gate: GATES.find((one) => one === fields.gate) ?? EMPTY_DRAFT.gate,
    manager: text('manager', 64),
    reward: text('reward', 64),
    extended: fields.extended === true,
    referrer: text('referrer', 64),
    proof: text('proof', MAX_PROOF_TEXT),
    token: TOKENS.find((one) => one === fields.token) ?? EMPTY_DRAFT.token,
    leave: fields.leave === 'approve' ? 'approve' : 'permit',
    perBatch: text('perBatch', 4),
  };
}

export const useDraft = () => useStored('csm', parseDraft);
