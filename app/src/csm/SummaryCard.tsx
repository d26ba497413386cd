import type { UseQueryResult } from '@tanstack/react-query';
import { formatWei } from '../money/wei';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { TOKEN_NAMES } from './BondCard';
import { Checks } from './Checks';
import { maySend, type Check } from './checks';
import type { Eligibility, Gate } from './contracts';
import type { Draft } from './draft';
import type { NodeOperator } from './operators';
import { gasExpected } from './plan';
import type { VerifiedKey } from './verified';
import type { DraftErrors } from './validation';
import { describeRefusal } from './words';

interface Props {
  /** Verified and chosen. */
  keys: readonly VerifiedKey[];
  /** Chosen, verified or not. */
  chosen: number;
  sizes: readonly number[];
  draft: Draft;
  errors: DraftErrors;
  operator: NodeOperator | undefined;
  gate: Gate | undefined;
  standing: Eligibility | undefined;
  bonds: readonly bigint[] | undefined;
  balance: bigint | undefined;
  checks: UseQueryResult<Check[]>;
  sending: boolean;
}

/** What will be sent and what it needs; the button. */
export function SummaryCard(props: Props) {
  const { keys, chosen, sizes, draft, operator, bonds, balance, checks, sending } = props;
  const total = bonds?.at(-1);
  const short = total !== undefined && balance !== undefined && balance < total;
  const reason = whyNot(props, short);
  return (
    <Card title="Summary">
      <dl className="facts">
        <dt>Keys</dt>
        <dd className="figure">
          {chosen === keys.length ? keys.length : `${keys.length} of ${chosen} verified`}
        </dd>
        <dt>Transactions</dt>
        <dd className="figure">{sizes.length}</dd>
        <dt>Bond curve</dt>
        <dd className="figure">{curveId(props)}</dd>
        {operator && operator.bond > operator.required && (
          <>
            <dt>Excess that counts</dt>
            <dd className="figure">{formatWei(operator.bond - operator.required)}</dd>
          </>
        )}
        <dt>Bond to pay</dt>
        <dd className="figure">
          <strong>{total === undefined ? '–' : formatWei(total, TOKEN_NAMES[draft.token])}</strong>
        </dd>
        {sizes[0] !== undefined && (
          <>
            <dt>Gas at most</dt>
            <dd className="figure">{Number(gasExpected(Math.max(...sizes))).toLocaleString('en')} each</dd>
          </>
        )}
      </dl>
      {keys.length > 0 && <Outcome checks={checks} />}
      {reason !== undefined && (
        <p className="hint" id="why-not">
          {reason}
        </p>
      )}
      <Button
        type="submit"
        kind="primary"
        className="button-wide"
        busy={sending}
        disabled={keys.length === 0 || short || !checksHold(checks)}
        aria-describedby={reason === undefined ? undefined : 'why-not'}
      >
        {label(keys.length, sizes.length)}
      </Button>
      <p className="hint">The exact bond is read again when each transaction is sent.</p>
    </Card>
  );
}

/** A form that is not filled in lets the button be pressed, so that it can say what is missing. */
function checksHold({ data, fetchStatus, isPending }: UseQueryResult<Check[]>): boolean {
  if (isPending && fetchStatus === 'idle') return true;
  return data !== undefined && maySend(data);
}

function label(keys: number, transactions: number): string {
  if (keys === 0) return 'Submit';
  const what = keys === 1 ? 'Submit 1 validator' : `Submit ${keys} validators`;
  return transactions > 1 ? `${what} in ${transactions} transactions` : what;
}

function curveId({ draft, operator, gate }: Props): string {
  if (draft.target === 'new') return gate?.curveId.toString() ?? '–';
  return operator?.curveId.toString() ?? '–';
}

function whyNot({ keys, chosen, draft, standing, errors }: Props, short: boolean): string | undefined {
  if (chosen === 0) return 'Choose validators.';
  if (keys.length === 0) return 'The deposit data are being verified, or do not hold.';
  if (short) return `Your wallet has less ${TOKEN_NAMES[draft.token]} than the bond.`;
  if (draft.target === 'new' && standing === 'not_listed') return 'This gate needs a proof for your address.';
  return Object.values(errors)[0];
}

function Outcome({ checks }: { checks: UseQueryResult<Check[]> }) {
  if (checks.error) {
    return (
      <Notice kind="error" title="The checks could not be made">
        <p>{describeRefusal(checks.error)}</p>
        <Button onClick={() => void checks.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (!checks.data) return checks.isLoading ? <p className="hint">Checking with the chain…</p> : null;
  return <Checks checks={checks.data} />;
}
