import type { UseQueryResult } from '@tanstack/react-query';
import { RadioGroup } from 'radix-ui';
import { sameAddress } from '../session/session';
import { formatWei } from '../money/wei';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import type { Draft } from './draft';
import { NewOperatorFields, type NewOperatorProps } from './NewOperatorFields';
import type { NodeOperator } from './operators';
import { describeRefusal } from './words';

interface Props extends Omit<NewOperatorProps, 'onChange'> {
  operators: UseQueryResult<NodeOperator[]>;
  onChange: (draft: Draft) => void;
}

/** Whose keys they will be. */
export function OperatorCard({ operators, draft, onChange, errors, account, ...rest }: Props) {
  return (
    <Card title="Node operator">
      {operators.isPending && <Skeleton label="Your node operators" rows={2} />}
      {operators.error && (
        <Notice kind="error" title="Your node operators cannot be shown">
          <p>{describeRefusal(operators.error)}</p>
          <Button onClick={() => void operators.refetch()}>Try again</Button>
        </Notice>
      )}
      {operators.data && (
        <RadioGroup.Root
          className="options"
          aria-label="Node operator"
          value={draft.target}
          onValueChange={(target) => onChange({ ...draft, target })}
        >
          {operators.data.map((operator) => (
            <Option key={operator.id.toString()} operator={operator} account={account} />
          ))}
          <RadioGroup.Item value="new" className="option">
            <strong>A new node operator</strong>
            <span className="hint">Made by the transaction that brings the first keys.</span>
          </RadioGroup.Item>
        </RadioGroup.Root>
      )}
      {errors.target && (
        <p className="field-error" role="alert">
          {errors.target}
        </p>
      )}
      {operators.data && draft.target === 'new' && (
        <NewOperatorFields draft={draft} onChange={onChange} errors={errors} account={account} {...rest} />
      )}
    </Card>
  );
}

function Option({ operator, account }: { operator: NodeOperator; account: string }) {
  const manages = sameAddress(operator.manager, account);
  const excess = operator.bond - operator.required;
  return (
    <RadioGroup.Item value={operator.id.toString()} className="option" disabled={!manages}>
      <strong className="csm-option-head">
        Node operator {operator.id.toString()}
        {!manages && <Badge tone="warning">reward address only</Badge>}
      </strong>
      <span className="hint">
        {operator.totalKeys} {operator.totalKeys === 1 ? 'key' : 'keys'}, {operator.depositedKeys} deposited,
        bond {formatWei(operator.bond)}
        {excess > 0n && `, ${formatWei(excess)} more than needed`}
        {excess < 0n && `, ${formatWei(-excess)} missing`}
      </span>
      {!manages && <span className="hint wrap">Only its manager {operator.manager} can add keys.</span>}
      {operator.vettedKeys < operator.totalKeys && (
        <span className="field-error">
          Key {operator.vettedKeys + 1} was found bad: it and all after it wait until it is removed.
        </span>
      )}
    </RadioGroup.Item>
  );
}
