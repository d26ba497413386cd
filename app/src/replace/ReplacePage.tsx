import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { ceremonyFile, useCeremonies } from '../api/ceremonies';
import { useOperators, type Operator } from '../api/operators';
import { useValidator } from '../api/validators';
import { arrange, NO_FILTER } from '../committee/filter';
import { FilterBar } from '../committee/FilterBar';
import { OperatorList } from '../committee/OperatorList';
import { resize, toggle, type Selection } from '../committee/selection';
import { SizePicker } from '../committee/SizePicker';
import { isSize } from '../committee/sizes';
import { useAppConfig } from '../config/config';
import { NeedsSession } from '../session/NeedsSession';
import { useSession } from '../session/session';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton, Spinner } from '../ui/Spinner';
import { ChangePanel } from './ChangePanel';
import { ceremonyOf, changeOf, choosable, committeeOf, sameCommittee } from './committee';
import { MemberList } from './MemberList';
import type { Takeover } from './request';
import { useSubmitReshare } from './submit';
import { readTakeover } from './verifier';

/** Who leaves a committee and who comes, and the signature that starts the reshare. */
export function ReplacePage() {
  const { pubkey } = useParams({ from: '/validators/$pubkey/replace' });
  return (
    <>
      <PageHead title="Replace an operator">
        The operators that stay make new shares of the same validator keys for the new committee. Nothing is
        deposited again, and duties move only when you send a transaction for each validator afterwards.
      </PageHead>
      <NeedsSession why="A validator is shown to its owner alone.">
        <Found pubkey={pubkey} />
      </NeedsSession>
    </>
  );
}

function Found({ pubkey }: { pubkey: string }) {
  const validator = useValidator(pubkey);
  const ceremonies = useCeremonies(true);
  const operators = useOperators();
  const error = validator.error ?? ceremonies.error ?? operators.error;
  if (error) {
    return (
      <Failed
        message={error.message}
        onAgain={() => [validator, ceremonies, operators].forEach((one) => void one.refetch())}
      />
    );
  }
  if (!validator.data || !ceremonies.data || !operators.data)
    return <Skeleton label="The committee" rows={6} />;
  const present = committeeOf(validator.data);
  const { ceremony_id: made, operators: makers } = validator.data;
  const unmoved = sameCommittee(
    present,
    makers.map(({ operator_id }) => operator_id),
  );
  // The list has the latest ceremonies alone; one that made the key itself need not be in it.
  const ceremonyId = ceremonyOf(made, present, ceremonies.data)?.ceremony_id ?? (unmoved ? made : undefined);
  if (ceremonyId === undefined || !isSize(present.length)) {
    return (
      <Empty
        title="The shares of this validator cannot be moved"
        action={
          <Link to="/validators/$pubkey" params={{ pubkey }} className="button button-plain">
            Back to the validator
          </Link>
        }
      >
        Among your latest ceremonies none is ready that made the shares of operators {present.join(', ')}.
      </Empty>
    );
  }
  return (
    <Change
      pubkey={validator.data.pubkey}
      present={present}
      ceremonyId={ceremonyId}
      operators={operators.data}
    />
  );
}

function Failed({ message, onAgain }: { message: string; onAgain: () => void }) {
  return (
    <Notice kind="error" title="The committee cannot be shown">
      <p>{message}</p>
      <Button onClick={onAgain}>Try again</Button>
    </Notice>
  );
}

/** The certificate of the present committee, verified in this browser: what is signed comes from it. */
function useTakeover(ceremonyId: string, pubkey: string) {
  const { chain_id } = useAppConfig();
  const { owner } = useSession();
  return useQuery({
    queryKey: ['takeover', ceremonyId, owner],
    queryFn: async (): Promise<Takeover> => {
      const certificate = await ceremonyFile(ceremonyId, 'certificate');
      const takeover = await readTakeover(certificate, chain_id, owner ?? '', ceremonyId);
      if (!takeover.pubkeys.includes(pubkey)) throw new Error('The certificate is of other validators.');
      return takeover;
    },
    enabled: owner !== undefined,
    staleTime: Infinity,
    retry: false,
  });
}

interface ChangeProps {
  pubkey: string;
  present: readonly number[];
  ceremonyId: string;
  operators: readonly Operator[];
}

function Change({ pubkey, present, ceremonyId, operators }: ChangeProps) {
  const [selection, setSelection] = useState<Selection>({
    size: isSize(present.length) ? present.length : 4,
    ids: present,
  });
  const [filter, setFilter] = useState(NO_FILTER);
  const takeover = useTakeover(ceremonyId, pubkey);
  const submit = useSubmitReshare();
  const navigate = useNavigate();
  const shown = useMemo(() => arrange(choosable(present, operators), filter), [present, operators, filter]);
  const change = changeOf(present, selection, operators);
  const members = operators.filter(({ operator_id }) => selection.ids.includes(operator_id));
  const start = () => {
    if (!takeover.data || change.fault !== undefined) return;
    submit.mutate(
      { takeover: takeover.data, members },
      { onSuccess: (id) => void navigate({ to: '/ceremonies/$ceremonyId', params: { ceremonyId: id } }) },
    );
  };
  return (
    <div className="split">
      <div className="split-main stack">
        <Card title="The committee now" aside={<CertificateState takeover={takeover} />}>
          <MemberList ids={present} operators={operators} leaving={change.leaving} />
          {takeover.data && <Together count={takeover.data.validator_count} />}
          {takeover.error && (
            <Failed message={takeover.error.message} onAgain={() => void takeover.refetch()} />
          )}
        </Card>
        <SizePicker size={selection.size} onChange={(size) => setSelection(resize(selection, size))} />
        <FilterBar filter={filter} onChange={setFilter} count={shown.length} />
        <OperatorList
          operators={shown}
          chosen={selection.ids}
          full={selection.ids.length >= selection.size}
          onToggle={(id) => setSelection(toggle(selection, id))}
        />
      </div>
      <aside className="split-side">
        <ChangePanel
          change={change}
          present={present.length}
          size={selection.size}
          operators={operators}
          ready={takeover.data !== undefined}
          busy={submit.isPending}
          error={submit.error}
          onStart={start}
        />
      </aside>
    </div>
  );
}

function CertificateState({ takeover }: { takeover: ReturnType<typeof useTakeover> }) {
  if (takeover.isPending) return <Spinner label="Verifying in this browser" />;
  return takeover.data ? <span className="hint">its certificate is verified in this browser</span> : null;
}

function Together({ count }: { count: number }) {
  return (
    <p className="hint">
      {count === 1
        ? 'Its ceremony made this validator alone.'
        : `Its ceremony made ${count} validators: new shares are made for all of them, and you move each by its own transaction.`}
    </p>
  );
}
