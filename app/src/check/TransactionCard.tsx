import { useMemo, useState } from 'react';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { keysOf } from './files';
import { compare, mayConfirm, type Comparison } from './transaction';

/** Holds a transaction of a multisig wallet against the verified certificate. */
export function TransactionCard({ certificate }: { certificate: string }) {
  const [text, setText] = useState('');
  const keys = useMemo(() => keysOf(certificate), [certificate]);
  const result = useMemo(() => attempt(text, keys), [text, keys]);
  return (
    <Card title="Transaction">
      <div className="field">
        <label htmlFor="transaction">Data of the transaction, or the JSON of a Safe batch</label>
        <textarea
          id="transaction"
          className="input mono"
          rows={4}
          spellCheck={false}
          placeholder="0x…"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      {result && 'reason' in result && (
        <Notice kind="error" title="Cannot be compared">
          <p>{result.reason}</p>
        </Notice>
      )}
      {result && 'comparison' in result && <Result comparison={result.comparison} total={keys.length} />}
    </Card>
  );
}

function attempt(
  text: string,
  keys: ReturnType<typeof keysOf>,
): { comparison: Comparison } | { reason: string } | undefined {
  if (text.trim() === '') return undefined;
  try {
    return { comparison: compare(text, keys) };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

function Result({ comparison, total }: { comparison: Comparison; total: number }) {
  const { calls, foreign, otherSignature, repeated, left, matching } = comparison;
  const good = mayConfirm(comparison);
  const faults: [string, readonly string[]][] = [
    ['was not made by this ceremony', foreign],
    ['has another deposit signature', otherSignature],
    ['comes more than once', repeated],
  ];
  return (
    <>
      <Notice
        kind={good ? 'good' : 'error'}
        title={good ? 'These are the keys of your ceremony' : 'Do not confirm this transaction'}
      >
        <p>
          {matching} of {total} validators{left.length > 0 ? `; ${left.length} are not in it` : ''}.
        </p>
        <ul>
          {faults.flatMap(([fault, keys]) =>
            keys.map((key) => (
              <li key={`${fault} ${key}`} className="wrap">
                <span className="mono">{key}</span> {fault}.
              </li>
            )),
          )}
        </ul>
      </Notice>
      {calls.map((call, at) => (
        <dl key={at} className="facts">
          <dt>Call</dt>
          <dd className="mono">{call.name}</dd>
          <dt>Keys</dt>
          <dd>{call.keys.length}</dd>
          {call.nodeOperatorId !== undefined && (
            <>
              <dt>Node operator</dt>
              <dd>{String(call.nodeOperatorId)}</dd>
            </>
          )}
          {call.management && (
            <>
              <dt>Manager of the new node operator</dt>
              <dd className="mono">{who(call.management.managerAddress)}</dd>
              <dt>Rewards go to</dt>
              <dd className="mono">{who(call.management.rewardAddress)}</dd>
              <dt>Extended permissions</dt>
              <dd>
                {call.management.extendedManagerPermissions
                  ? 'yes: the manager decides'
                  : 'no: the reward address decides'}
              </dd>
            </>
          )}
        </dl>
      ))}
    </>
  );
}

function who(address: string): string {
  return /^0x0+$/.test(address) ? 'whoever sends the transaction' : address;
}
