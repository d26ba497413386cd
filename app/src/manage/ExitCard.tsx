import { useQuery } from '@tanstack/react-query';
import type { Address, Hex } from 'viem';
import { useUpkeep } from '../api/upkeep';
import type { Validator } from '../api/validators';
import { Amount } from '../network/Amount';
import { CLUSTER_NODE_ABI } from '../network/abi';
import { useReader } from '../network/chain';
import type { Chain } from '../network/NeedsChain';
import { useOwnJournal, useOwnWallet, useSend, useTaken } from '../network/send';
import { readCurrency, useWalletFunds } from '../network/terms';
import { describeCall } from '../network/words';
import { Funding } from '../register/Funding';
import { OwnWalletNotice } from '../register/OwnWalletNotice';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Confirm } from './Confirm';
import { ExitProgress } from './ExitProgress';
import { exitProgress, exitSteps, isExitUnderWay, isLeaving, type ExitStep } from './progress';

/** Index of the fee for exits (`ISafeStakeClusterNode.Action`). */
const EXIT_ACTION = 2n;
/** From the first epoch on: operators sign an exit that is valid at once. */
const ACTIVE_EPOCH = 0n;
/** How often operators' words are looked at while an exit is under way. */
const EXIT_LOOK_MS = 6_000;

function useExitFee(clusterNode: Address, pubkey: Hex) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'exit-fee', clusterNode, pubkey],
    queryFn: async () => {
      const contract = { address: clusterNode, abi: CLUSTER_NODE_ABI } as const;
      const [fee, token, [, active]] = await Promise.all([
        client.readContract({ ...contract, functionName: 'getActionFee', args: [EXIT_ACTION] }),
        client.readContract({ ...contract, functionName: '_token' }),
        client.readContract({ ...contract, functionName: 'getClusterNode', args: [pubkey] }),
      ]);
      return { fee, active, currency: await readCurrency(client, token) };
    },
  });
}

type Facts = NonNullable<Validator['facts']>;

interface Props {
  chain: Chain;
  validator: Validator;
  facts: Facts;
  registered: boolean;
}

/** Orders the exit, and shows how far it is. */
export function ExitCard({ chain, validator, facts, registered }: Props) {
  const upkeep = useUpkeep(validator.pubkey, isExitUnderWay(facts) ? EXIT_LOOK_MS : undefined);
  const said = upkeep.data && upkeep.data.length > 0 ? exitProgress(upkeep.data) : undefined;
  const shown = isExitUnderWay(facts, said);
  return (
    <Card title="Exit">
      <Steps steps={exitSteps(facts, shown ? said : undefined)} />
      {shown && <ExitProgress upkeep={upkeep} />}
      {facts.lido_exit_requested.holds === 'yes' && !isLeaving(facts) && (
        <Notice kind="error" title="Lido asks for this exit">
          <p>A late exit costs a fee, and is forced in the end.</p>
        </Notice>
      )}
      {!isLeaving(facts) &&
        (registered ? (
          <Order chain={chain} validator={validator} />
        ) : (
          <p className="hint">
            Exits are ordered from operators that perform for the validator: it is not registered.
          </p>
        ))}
      {!chain.info.asks_beacon && (
        <p className="hint">
          This service asks no beacon node: whether the validator has left is not known here.
        </p>
      )}
    </Card>
  );
}

function Steps({ steps }: { steps: readonly ExitStep[] }) {
  return (
    <ol className="checks">
      {steps.map(({ word, state, detail }) => (
        <li key={word} className={`checked checked-${state === 'done' ? 'good' : 'open'}`}>
          <span className="checked-sign" aria-hidden>
            {state === 'done' ? '✓' : state === 'unknown' ? '?' : '·'}
          </span>
          <span>
            <strong>{word}</strong>
            <span className="sr-only">
              {state === 'done' ? ': done' : state === 'unknown' ? ': not known' : ': not yet'}
            </span>
            {detail && <span className="hint">{detail}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Order({ chain, validator }: { chain: Chain; validator: Validator }) {
  const pubkey = validator.pubkey as Hex;
  const owner = validator.owner as Address;
  const clusterPubkey = validator.cluster_pubkey as Hex;
  const { clusterNode } = chain.addresses;
  const terms = useExitFee(clusterNode, clusterPubkey);
  const wallet = useOwnWallet(owner);
  const funds = useWalletFunds(wallet.account, terms.data?.currency, clusterNode);
  const journal = useOwnJournal();
  const taken = useTaken(journal.all.filter(({ kind }) => kind === 'exit'));
  const send = useSend();
  if (terms.error) {
    return (
      <Notice kind="error" title="The contract cannot be read">
        <p>{describeCall(terms.error)}</p>
      </Notice>
    );
  }
  const { fee, active, currency } = terms.data ?? { fee: 0n, active: true, currency: undefined };
  const short = funds.data !== undefined && funds.data.balance < fee;
  const allowed = funds.data?.allowance === undefined || funds.data.allowance >= fee;
  const order = () =>
    send.mutate({
      kind: 'exit',
      about: [pubkey],
      call: {
        address: clusterNode,
        abi: CLUSTER_NODE_ABI,
        functionName: 'generateExitData',
        args: [clusterPubkey, [pubkey], ACTIVE_EPOCH],
        ...(currency?.token === undefined ? { value: fee } : {}),
      },
    });
  return (
    <>
      {!active && (
        <Notice kind="error" title="The cluster node of this service is not active in the contract">
          <p>Exits can be ordered with a signature meanwhile: see cluster-node exit.</p>
        </Notice>
      )}
      {currency && fee > 0n && (
        <p>
          Fee: <Amount value={fee} currency={currency} />
        </p>
      )}
      {currency && (
        <Funding
          currency={currency}
          balance={funds.data?.balance}
          short={short}
          allowed={allowed}
          spender={clusterNode}
          amount={fee}
          disabled={!wallet.ready}
        />
      )}
      <OwnWalletNotice owner={owner} />
      {taken.has(pubkey) ? (
        <p className="hint">The order was sent. The service sees it a few blocks later.</p>
      ) : (
        <Confirm
          action="Order the exit"
          title="Let this validator leave?"
          description="An exit cannot be taken back: the validator stops for good, and its balance goes to the withdrawal address."
          busy={send.isPending}
          disabled={!wallet.ready || !active || short || !allowed || !terms.data}
          onConfirm={order}
        />
      )}
      {send.error && (
        <Notice kind="error" title="No exit was ordered">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
    </>
  );
}
