import { useState } from 'react';
import type { Address } from 'viem';
import { Amount } from '../network/Amount';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { alertsOf, byState, STATE_WORDS, strikeAlerts } from './alerts';
import { Claim } from './Claim';
import { useKeys, useNodeOperator, useRules, type Key, type NodeOperator, type Rules } from './data';
import { KeyList } from './KeyList';
import type { Strikes } from './strikes';
import { StrikesCard } from './StrikesCard';
import { useNowS } from './useNowS';

const ETH = { symbol: 'ETH', decimals: 18 };

interface Props {
  id: number;
  accounting: Address | undefined;
  exitPenalties: Address | undefined;
}

export function NodeOperatorPart({ id, accounting, exitPenalties }: Props) {
  const operator = useNodeOperator(id);
  const keys = useKeys(id);
  const rules = useRules(accounting, operator.data?.bond.curve_id);
  const nowS = useNowS();
  const [strikes, setStrikes] = useState<Strikes>();
  const error = operator.error ?? keys.error;
  if (error) {
    return (
      <Notice kind="error" title={`Node operator ${id} cannot be shown`}>
        <p>{error.message}</p>
        <Button
          onClick={() => {
            void operator.refetch();
            void keys.refetch();
          }}
        >
          Try again
        </Button>
      </Notice>
    );
  }
  if (!operator.data || !keys.data) return <Skeleton label={`Node operator ${id}`} rows={6} />;
  const alerts = [
    ...(strikes && rules.data ? strikeAlerts(keys.data, strikes, rules.data.strikesThreshold) : []),
    ...alertsOf(operator.data, keys.data, rules.data?.exitDelayS, nowS),
  ];
  return (
    <section className="stack" aria-labelledby={`operator-${id}`}>
      <h2 id={`operator-${id}`} className="section-head">
        Node operator {id}
      </h2>
      {alerts.map(({ kind, title, text }) => (
        <Notice key={title} kind={kind} title={title}>
          <p className="wrap">{text}</p>
        </Notice>
      ))}
      {alerts.length === 0 && <Notice kind="good" title="Nothing needs you" />}
      <div className="pair">
        <BondCard operator={operator.data} />
        <KeysCard operator={operator.data} keys={keys.data} />
      </div>
      <div className="pair">
        <Claim operator={operator.data} accounting={accounting} />
        <RulesCard operator={operator.data} rules={rules.data} />
      </div>
      <StrikesCard
        id={id}
        keys={keys.data}
        rules={rules.data}
        accounting={accounting}
        exitPenalties={exitPenalties}
        strikes={strikes}
        onStrikes={setStrikes}
      />
      <KeyList keys={keys.data} rules={rules.data} strikes={strikes} nowS={nowS} />
    </section>
  );
}

function BondCard({ operator: { bond } }: { operator: NodeOperator }) {
  const rows: [string, string][] = [
    ['Held', bond.current_wei],
    ['Needed', bond.required_wei],
    ['More than needed', bond.excess_wei],
    ['Missing', bond.missing_wei],
    ['Locked', bond.locked_wei],
  ];
  const missing = BigInt(bond.missing_wei) > 0n;
  return (
    <Card
      title="Bond"
      aside={<Badge tone={missing ? 'bad' : 'good'}>{missing ? 'too small' : 'enough'}</Badge>}
    >
      <dl className="facts">
        {rows.map(([word, wei]) => (
          <div key={word} className="fact">
            <dt>{word}</dt>
            <dd>
              <Amount value={BigInt(wei)} currency={ETH} />
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function KeysCard({
  operator: { keys: counts, queue },
  keys,
}: {
  operator: NodeOperator;
  keys: readonly Key[];
}) {
  return (
    <Card title="Keys" aside={<strong className="figure">{counts.added}</strong>}>
      <ul className="states">
        {byState(keys).map(({ state, count }) => (
          <li key={state}>
            <Badge tone={STATE_WORDS[state].tone}>{STATE_WORDS[state].word}</Badge>
            <span className="figure">{count}</span>
          </li>
        ))}
      </ul>
      {counts.added === 0 && <p className="hint">No key was submitted yet.</p>}
      {queue.map(({ priority, keys_ahead, own_keys, complete }) => (
        <p key={priority} className="hint">
          {own_keys} in the deposit queue{priority < 5 ? ` of priority ${priority}` : ''}, behind{' '}
          {complete ? '' : 'at least '}
          {keys_ahead} keys of others.
        </p>
      ))}
    </Card>
  );
}

function RulesCard({ operator, rules }: { operator: NodeOperator; rules: Rules | undefined }) {
  return (
    <Card title="Rules and roles">
      <dl className="facts">
        <dt>Manager</dt>
        <dd className="mono">{operator.manager_address}</dd>
        <dt>Rewards go to</dt>
        <dd className="mono">{operator.reward_address}</dd>
        <dt>The reward address is changed by</dt>
        <dd>{operator.extended_manager_permissions ? 'the manager' : 'itself'}</dd>
        {rules && (
          <>
            <dt>Exit within</dt>
            <dd>{Number(rules.exitDelayS) / 86_400} days of the request</dd>
          </>
        )}
      </dl>
    </Card>
  );
}
