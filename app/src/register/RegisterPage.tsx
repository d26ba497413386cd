import { Link, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';
import { useValidators, type Validator } from '../api/validators';
import { describeCall } from '../network/words';
import { NeedsChain, type Chain } from '../network/NeedsChain';
import { useTerms } from '../network/terms';
import { NeedsSession } from '../session/NeedsSession';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { candidates, endings, type Candidates } from './candidates';
import { CeremonyRow, type Verified } from './CeremonyRow';
import { Payment } from './Payment';
import { blocksOf, FIRST_PERIOD } from './period';
import { PeriodPicker } from './PeriodPicker';
import { Subscriptions } from './Subscriptions';
import { OwnSent } from './OwnSent';

export function RegisterPage() {
  return (
    <>
      <PageHead title="Register in the network">
        Operators perform for validators that are registered and paid for. The fee is the contract&apos;s own,
        to the last digit, and what is not used comes back.
      </PageHead>
      <NeedsSession why="Your validators are shown to you alone.">
        <NeedsChain>{(chain) => <Validators chain={chain} />}</NeedsChain>
      </NeedsSession>
    </>
  );
}

function Validators({ chain }: { chain: Chain }) {
  const validators = useValidators();
  if (validators.isPending) return <Skeleton label="Your validators" rows={5} />;
  if (validators.error) {
    return (
      <Notice kind="error" title="Your validators cannot be shown">
        <p>{validators.error.message}</p>
        <Button onClick={() => void validators.refetch()}>Try again</Button>
      </Notice>
    );
  }
  return <Register chain={chain} validators={validators.data} />;
}

function Register({ chain, validators }: { chain: Chain; validators: readonly Validator[] }) {
  const { validator: pubkey } = useSearch({ from: '/register' });
  const found = useMemo(() => candidates(validators, pubkey), [validators, pubkey]);
  const ending = useMemo(() => endings(validators), [validators]);
  return (
    <>
      <OwnSent kinds={['register', 'approve']} title="Registrations" />
      {found.length > 0 ? (
        <Unregistered chain={chain} found={found} />
      ) : (
        <Empty
          title={validators.length === 0 ? 'No validator yet' : 'Every validator is registered'}
          action={
            <Link to={validators.length === 0 ? '/committee' : '/validators'} className="button button-plain">
              {validators.length === 0 ? 'Choose a committee' : 'See your validators'}
            </Link>
          }
        >
          {validators.length === 0
            ? 'Validators appear here as soon as a ceremony has made them.'
            : 'Nothing is left to register. The service reads the chain a few blocks behind its head.'}
        </Empty>
      )}
      {ending.length > 0 && <Subscriptions chain={chain} endings={ending} />}
    </>
  );
}

function Unregistered({ chain, found }: { chain: Chain; found: readonly Candidates[] }) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [verified, setVerified] = useState<ReadonlyMap<string, Verified>>(new Map());
  const [period, setPeriod] = useState(FIRST_PERIOD);
  const terms = useTerms(chain.addresses.network);
  const see = useCallback(
    (id: string, result: Verified) => setVerified((before) => new Map(before).set(id, result)),
    [],
  );
  const chosen = found.filter(({ ceremonyId }) => !left.has(ceremonyId));
  const choose = (id: string, on: boolean) =>
    setLeft((before) => {
      const next = new Set(before);
      if (on) next.delete(id);
      else next.add(id);
      return next;
    });
  const faults = chosen.flatMap(({ ceremonyId }) => {
    const result = verified.get(ceremonyId);
    return result && 'fault' in result ? [result.fault] : [];
  });
  const shares = useMemo(() => chosenShares(found, left, verified), [found, left, verified]);
  const blocks = terms.data && blocksOf(period, terms.data.minimumBlocks);
  return (
    <>
      <Card title="Validators">
        <ul className="choices">
          {found.map((one) => (
            <CeremonyRow
              key={one.ceremonyId}
              found={one}
              chosen={!left.has(one.ceremonyId)}
              onChoose={(on) => choose(one.ceremonyId, on)}
              onVerified={see}
            />
          ))}
        </ul>
        {faults.map((fault) => (
          <Notice key={fault} kind="error" title="These validators are not offered">
            <p>{fault} The ceremony&apos;s page says what is wrong.</p>
          </Notice>
        ))}
      </Card>
      <Card title="Subscription">
        <PeriodPicker
          label="How long operators are paid for"
          period={period}
          fault={blocks && 'fault' in blocks ? blocks.fault : undefined}
          onChange={setPeriod}
        />
      </Card>
      {terms.error && (
        <Notice kind="error" title="The fee cannot be read from the chain">
          <p>{describeCall(terms.error)}</p>
          <Button onClick={() => void terms.refetch()}>Try again</Button>
        </Notice>
      )}
      {terms.isPending && <Skeleton label="The fee" rows={3} />}
      {terms.data && blocks && 'blocks' in blocks && (
        <Payment
          addresses={chain.addresses}
          terms={terms.data}
          blocks={blocks.blocks}
          shares={shares}
          waiting={chosen.some(({ ceremonyId }) => !verified.has(ceremonyId))}
        />
      )}
    </>
  );
}

/** Verified shares of what was chosen, of those validators alone that are not registered. */
function chosenShares(
  found: readonly Candidates[],
  left: ReadonlySet<string>,
  verified: ReadonlyMap<string, Verified>,
) {
  return found.flatMap(({ ceremonyId, pubkeys }) => {
    const result = verified.get(ceremonyId);
    if (left.has(ceremonyId) || !result || 'fault' in result) return [];
    const wanted = new Set(pubkeys);
    return result.shares.filter(({ pubkey }) => wanted.has(pubkey));
  });
}
