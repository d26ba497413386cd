/** What is checked; the names of `app/wasm/src/check.rs`, and one of this page's own. */
export type CheckName =
  | 'network'
  | 'request'
  | 'committee'
  | 'withdrawal_address'
  | 'duplicates'
  | 'certificate'
  | 'receipts'
  | 'deposit_data'
  | 'deposits';

export interface CheckOutcome {
  check: CheckName;
  passed: boolean;
  detail: string;
}

/** Mirrors `Expected` in `app/wasm/src/check.rs`. */
export interface Expected {
  chain_id: number;
  owner: string;
  ceremony_id: string;
  withdrawal_address: string;
  validator_count: number;
  operators: { operator_id: number; public_key: string }[];
  known_pubkeys: string[];
  /** For a request by an event of the chain. */
  event?: ExpectedEvent | undefined;
}

/** Mirrors `ExpectedEvent` in `app/wasm/src/check.rs`: a log of the ClusterNode contract. */
export interface ExpectedEvent {
  contract: string;
  transaction_hash: string;
  log_index: number;
  topics: readonly string[];
  data: string;
}

export interface VerifyTask {
  certificate: string;
  depositData: string;
  expected: Expected;
}

/** From the worker to the page. */
export type VerifyMessage =
  | { kind: 'outcomes'; outcomes: CheckOutcome[] }
  | { kind: 'progress'; done: number; total: number }
  | { kind: 'end' }
  | { kind: 'failed'; reason: string };

export const CHECK_WORDS: Record<CheckName, string> = {
  network: 'Network and fork version',
  request: 'It is the answer to your own request',
  committee: 'Your committee, your number of validators',
  withdrawal_address: 'Withdrawals go where you said',
  duplicates: 'No key twice',
  certificate: 'Signatures of you and the operators, key shares',
  receipts: 'Every operator holds its shares',
  deposit_data: 'Deposit data are what the operators signed',
  deposits: 'Deposit roots and BLS signatures',
};

export const CHECK_ORDER = Object.keys(CHECK_WORDS) as CheckName[];
