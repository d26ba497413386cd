import { Link } from '@tanstack/react-router';
import type { Address } from 'viem';
import { useValidators } from '../api/validators';
import { useChainInfo } from '../network/chain';
import { useTerms } from '../network/terms';
import { addressesOf } from '../network/chain';
import { nearness } from '../register/EndBadge';
import { endings } from '../register/candidates';
import { NeedsSession } from '../session/NeedsSession';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { useNodeOperators } from './data';
import { NodeOperatorPart } from './NodeOperatorPart';
import { RelayPart } from './RelayPart';

export function MonitorPage() {
  return (
    <>
      <PageHead title="Monitor">
        Your node operators in Lido&apos;s Community Staking Module: keys, bond, rewards, and what needs you.
      </PageHead>
      <NeedsSession why="Node operators are listed by the wallet that manages them, or gets their rewards.">
        <SubscriptionAlerts />
        <RelayPart />
        <Operators />
      </NeedsSession>
    </>
  );
}

function Operators() {
  const info = useChainInfo();
  const operators = useNodeOperators();
  const error = info.error ?? operators.error;
  if (info.data && !info.data.configured) {
    return (
      <Empty title="This service reads no chain">
        What Lido&apos;s contracts know is shown where the service reads the chain. Whoever runs it configures
        that, under [chain].
      </Empty>
    );
  }
  if (error) {
    return (
      <Notice kind="error" title="The node operators cannot be shown">
        <p>{error.message}</p>
        <Button
          onClick={() => {
            void info.refetch();
            void operators.refetch();
          }}
        >
          Try again
        </Button>
      </Notice>
    );
  }
  if (!info.data || !operators.data) return <Skeleton label="Your node operators" rows={6} />;
  if (operators.data.length === 0) {
    return (
      <Empty
        title="No node operator yet"
        action={
          <Link to="/validators" className="button button-plain">
            See your validators
          </Link>
        }
      >
        One appears here when your wallet has become manager or reward address of a node operator, a few
        blocks later.
      </Empty>
    );
  }
  const accounting = info.data.lido.csm_accounting as Address | null | undefined;
  const exitPenalties = info.data.lido.csm_exit_penalties as Address | null | undefined;
  return operators.data.map(({ node_operator_id }) => (
    <NodeOperatorPart
      key={node_operator_id}
      id={node_operator_id}
      accounting={accounting ?? undefined}
      exitPenalties={exitPenalties ?? undefined}
    />
  ));
}

/** Subscriptions that end soon, and keys in CSM that nobody performs for. */
function SubscriptionAlerts() {
  const validators = useValidators().data ?? [];
  const info = useChainInfo();
  const terms = useTerms(addressesOf(info.data)?.network);
  const unregistered = validators.filter(
    ({ facts, status }) =>
      status !== 'exited' && facts?.submitted_to_csm.holds === 'yes' && facts.registered.holds === 'no',
  ).length;
  const head = terms.data?.head.number;
  const soon =
    head === undefined ? [] : endings(validators).filter(({ end }) => nearness(end, head) !== 'far');
  const count = soon.reduce((sum, one) => sum + one.validators.length, 0);
  const ended = head !== undefined && soon.some(({ end }) => nearness(end, head) === 'ended');
  return (
    <>
      {unregistered > 0 && (
        <Notice kind="error" title={`${unregistered} validators in CSM are not registered in the network`}>
          <p>Operators do not perform for them.</p>
          <Link to="/register" className="button button-plain">
            Register
          </Link>
        </Notice>
      )}
      {count > 0 && (
        <Notice
          kind={ended ? 'error' : 'warning'}
          title={`The subscription of ${count} validators ${ended ? 'has ended or ends' : 'ends'} within 30 days`}
        >
          <Link to="/register" className="button button-plain">
            Top up
          </Link>
        </Notice>
      )}
    </>
  );
}
