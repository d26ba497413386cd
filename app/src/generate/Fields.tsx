import { useAppConfig } from '../config/config';
import { AddressField } from '../ui/AddressField';
import { Choice } from '../ui/Choice';
import { Field } from '../ui/Field';
import { Notice } from '../ui/Notice';
import type { Draft } from './draft';
import type { DraftErrors } from './validation';

interface Props {
  draft: Draft;
  onChange: (draft: Draft) => void;
  errors: DraftErrors;
}

export function CountField({ draft, onChange, errors }: Props) {
  const { max_validators } = useAppConfig();
  return (
    <Field
      label="Number of validators"
      hint={`1 to ${max_validators}. One ceremony makes them all at once.`}
      inputMode="numeric"
      autoComplete="off"
      value={draft.count}
      error={errors.count}
      onChange={(event) => onChange({ ...draft, count: event.target.value })}
    />
  );
}

export function WithdrawalField({ draft, onChange, errors }: Props) {
  const config = useAppConfig();
  return (
    <div className="field">
      <Choice
        label="Withdrawals go to"
        value={draft.target}
        onChange={(target) => onChange({ ...draft, target })}
        options={[
          {
            value: 'lido',
            title: "Lido's withdrawal vault",
            children: (
              <>
                <span className="hint mono wrap">{config.lido_withdrawal_vault}</span>
                <span className="hint">For validators of the Community Staking Module.</span>
              </>
            ),
          },
          {
            value: 'other',
            title: 'Another address',
            children: <span className="hint">For validators with your own 32 ETH each.</span>,
          },
        ]}
      />
      {draft.target === 'other' && (
        <>
          <Notice kind="warning" title="Lido does not take these validators">
            <p>
              The address is fixed for ever, and what it receives cannot be called back. Check every digit;
              use an address whose key you hold.
            </p>
          </Notice>
          <AddressField
            label="Withdrawal address"
            value={draft.address}
            error={errors.address}
            onChange={(address) => onChange({ ...draft, address })}
          />
        </>
      )}
    </div>
  );
}

/** Where the network has contracts: how the operators learn of the request. */
export function WayField({ draft, onChange }: Pick<Props, 'draft' | 'onChange'>) {
  return (
    <div className="field">
      <Choice
        label="How you ask"
        value={draft.way}
        onChange={(way) => onChange({ ...draft, way })}
        options={[
          {
            value: 'paid',
            title: 'Pay on chain',
            children: (
              <span className="hint">
                A transaction with the network&apos;s fee. Operators read it from the contract, even while
                this service is away.
              </span>
            ),
          },
          {
            value: 'signed',
            title: 'Sign a message',
            children: <span className="hint">Free. The service passes it on to the operators.</span>,
          },
        ]}
      />
    </div>
  );
}
