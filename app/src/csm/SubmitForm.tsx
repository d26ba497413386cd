import { useQuery } from '@tanstack/react-query';
import { useMemo, useState, type SyntheticEvent } from 'react';
import type { Address, Hex } from 'viem';
import { useToast } from '../ui/Toasts';
import { BondCard } from './BondCard';
import type { CsmContracts } from './contracts';
import { useDraft, type Draft } from './draft';
import { pubkeysByCeremony, submittable, type Known } from './known';
import { OperatorCard } from './OperatorCard';
import { OtherWay } from './OtherWay';
import { batchSizes, cut, ends } from './plan';
import { readProof } from './proof';
import { bondFor, readChecks } from './queue/send';
import { askDuplicates, madeOperators, type Queue } from './queue/useQueue';
import type { GateKind, QueueEvent, Target } from './queue/types';
import { SummaryCard } from './SummaryCard';
import { useBalances, useBonds, useClient, useEligibility, useNodeOperators } from './useCsm';
import { useVerdicts, type VerdictQuery } from './useVerdicts';
import { ValidatorsCard } from './ValidatorsCard';
import { checkDraft } from './validation';
import type { VerifiedKey } from './verified';

interface Props {
  queue: Queue;
  known: Known;
  contracts: CsmContracts;
  account: Address;
}

/** Choose validators, a node operator and a token; then everything goes into the queue. */
export function SubmitForm({ queue, known, contracts, account }: Props) {
  const toast = useToast();
  const [draft, setDraft] = useDraft();
  const [tried, setTried] = useState(false);
  const selection = useSelection(known, account);
  const { keys } = selection;
  const operators = useNodeOperators(contracts, account, madeOperators(known.journal));
  const chosenDraft = withoutGone(
    draft,
    operators.data?.map((one) => one.id.toString()),
  );
  const { order, errors } = checkDraft(chosenDraft, account, keys.length);
  const eligibility = useGateStandings(contracts, account, draft);
  const sizes = batchSizes(keys.length, order?.perBatch ?? 50);
  const target = bondTarget(chosenDraft);
  const bonds = useBonds(
    contracts,
    target && bondFor(contracts, target),
    draft.token,
    ends(sizes).filter((end) => end > 0),
  );
  const balances = useBalances(contracts, account);
  const checks = useChecks(contracts, account, order?.target, keys, known);
  const start = (event: SyntheticEvent) => {
    event.preventDefault();
    setTried(true);
    if (!order || keys.length === 0) return;
    const planned = planEvent(order.target, draft.token, cut(keys, sizes));
    queue.record(planned).then(
      async (journal) => {
        selection.clear();
        setTried(false);
        const first = journal.batches.find((batch) => batch.id === planned.batches[0]?.id);
        if (first) await queue.send(first, keys, draft.leave);
      },
      (error: unknown) => toast(error instanceof Error ? error.message : String(error)),
    );
  };
  const shown = tried ? errors : { ...(draft.perBatch === '' ? {} : { perBatch: errors.perBatch }) };
  return (
    <form className="split" onSubmit={start} noValidate>
      <div className="split-main">
        <ValidatorsCard
          groups={selection.groups}
          vault={contracts.withdrawalVault}
          chosen={selection.chosen}
          onChoose={selection.choose}
          verdicts={selection.verdicts}
          locked={queue.sending !== undefined}
        />
        {selection.groups.length > 0 && (
          <>
            <OperatorCard
              operators={operators}
              draft={chosenDraft}
              onChange={setDraft}
              errors={clean(shown)}
              account={account}
              gates={contracts.gates}
              eligibility={eligibility}
              keys={keys.length}
              onProofRefused={toast}
            />
            <BondCard
              draft={chosenDraft}
              onChange={setDraft}
              errors={clean(shown)}
              balances={balances.data}
              sizes={sizes}
              bonds={bonds}
            />
          </>
        )}
      </div>
      {selection.groups.length > 0 && (
        <aside className="split-side stack">
          <SummaryCard
            keys={keys}
            chosen={selection.count}
            sizes={sizes}
            draft={chosenDraft}
            errors={clean(tried ? errors : {})}
            operator={operators.data?.find((one) => one.id.toString() === chosenDraft.target)}
            gate={contracts.gates.find((one) => one.kind === draft.gate)}
            standing={eligibility.get(draft.gate)}
            bonds={bonds.data}
            balance={balances.data?.[draft.token].amount}
            checks={checks}
            sending={queue.sending !== undefined}
          />
          <OtherWay
            verdicts={[...selection.verdicts.values()].flatMap(({ verdict }) => verdict ?? [])}
            keys={keys}
          />
        </aside>
      )}
    </form>
  );
}

type Errors = ReturnType<typeof checkDraft>['errors'];

/** Fields without an error are not there at all. */
function clean(errors: { [Field in keyof Errors]?: Errors[Field] | undefined }): Errors {
  return Object.fromEntries(Object.entries(errors).filter(([, words]) => words !== undefined));
}

/** A node operator of another wallet is no choice. */
function withoutGone(draft: Draft, ids: readonly string[] | undefined): Draft {
  if (draft.target === '' || draft.target === 'new' || !ids || ids.includes(draft.target)) return draft;
  return { ...draft, target: '' };
}

/** Enough of a target to ask for its bond. */
function bondTarget(draft: Draft): Exclude<Target, { kind: 'made' }> | undefined {
  if (draft.target === '') return undefined;
  if (draft.target !== 'new') return { kind: 'existing', nodeOperatorId: draft.target };
  const nobody: Address = `0x${'0'.repeat(40)}`;
  const nobodies = { manager: nobody, reward: nobody, referrer: nobody };
  return { kind: 'new', gate: draft.gate, ...nobodies, extended: false, proof: [] };
}

/** The event that puts batches into the queue; those after the one that makes a node operator wait for it. */
export function planEvent(
  target: Exclude<Target, { kind: 'made' }>,
  token: Draft['token'],
  pieces: readonly (readonly VerifiedKey[])[],
): Extract<QueueEvent, { type: 'plan' }> {
  const ids = pieces.map(() => crypto.randomUUID());
  const batches = pieces.map((piece, at) => ({
    id: ids[at] ?? '',
    target:
      at === 0 || target.kind === 'existing' ? target : ({ kind: 'made', batchId: ids[0] ?? '' } as const),
    token,
    keys: piece.map(({ pubkey, ceremonyId }) => ({ pubkey, ceremonyId })),
  }));
  return { type: 'plan', batches };
}

/** Which validators are chosen, and those of them that this browser verified. */
function useSelection(known: Known, account: Address) {
  const groups = useMemo(() => submittable(known), [known]);
  const [wanted, choose] = useState<ReadonlyMap<string, number>>(new Map());
  const chosen = useMemo(() => {
    const sizes = new Map(groups.map((group) => [group.ceremony.ceremony_id, group.pubkeys.length]));
    return new Map(
      [...wanted].flatMap(([id, count]) =>
        sizes.has(id) ? [[id, Math.min(count, sizes.get(id) ?? 0)]] : [],
      ),
    );
  }, [groups, wanted]);
  const others = useMemo(() => pubkeysByCeremony(known.validators), [known.validators]);
  const results = useVerdicts([...chosen.keys()], known.ceremonies, known.operators, account, others);
  const verdicts = new Map<string, VerdictQuery>(results.map((result) => [result.ceremonyId, result]));
  const keys = results.flatMap(({ ceremonyId, verdict }) => {
    const free = new Set(groups.find((group) => group.ceremony.ceremony_id === ceremonyId)?.pubkeys);
    return (verdict?.keys ?? []).filter((key) => free.has(key.pubkey)).slice(0, chosen.get(ceremonyId) ?? 0);
  });
  const count = [...chosen.values()].reduce((a, b) => a + b, 0);
  return { groups, chosen, choose, verdicts, keys, count, clear: () => choose(new Map()) };
}

function useGateStandings(contracts: CsmContracts, account: Address, draft: Draft) {
  const proofs = new Map<string, readonly Hex[]>();
  try {
    proofs.set(draft.gate, readProof(draft.proof, account));
  } catch {
    // The field itself says what is wrong with the proof.
  }
  const results = useEligibility(contracts.gates, account, proofs);
  return new Map<GateKind, NonNullable<(typeof results)[number]['data']>>(
    contracts.gates.flatMap((gate, at) => {
      const standing = results[at]?.data;
      return standing ? [[gate.kind, standing] as const] : [];
    }),
  );
}

/** The checks before sending, for what is chosen now; they are made anew for every transaction. */
function useChecks(
  contracts: CsmContracts,
  account: Address,
  target: Exclude<Target, { kind: 'made' }> | undefined,
  keys: readonly VerifiedKey[],
  known: Known,
) {
  const client = useClient();
  const validators = new Map(known.validators.map((one) => [one.pubkey.toLowerCase(), one]));
  return useQuery({
    queryKey: ['csm-checks', contracts.module, account, target, keys.map((key) => key.pubkey)],
    queryFn: () =>
      target
        ? readChecks({ client, contracts, account, duplicates: askDuplicates, validators }, target, keys)
        : [],
    enabled: target !== undefined && keys.length > 0,
  });
}
