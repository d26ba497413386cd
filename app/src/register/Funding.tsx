import type { Address } from 'viem';
import { Amount } from '../network/Amount';
import type { Currency } from '../network/terms';
import { Approval } from './Approval';

interface Props {
  currency: Currency;
  /** What the wallet has; undefined until it is known. */
  balance: bigint | undefined;
  /** It has too little. */
  short: boolean;
  /** The contract may take what it takes next. */
  allowed: boolean;
  spender: Address;
  /** What the contract is allowed to take, where it may not yet. */
  amount: bigint;
  disabled: boolean;
}

/** What stands between a wallet and a payment: too little in it, or a token that the contract may not take yet. */
export function Funding({ currency, balance, short, allowed, spender, amount, disabled }: Props) {
  return (
    <>
      {short && balance !== undefined && (
        <p className="field-error" role="alert">
          Your wallet has too little: <Amount value={balance} currency={currency} />.
        </p>
      )}
      {!allowed && (
        <Approval token={currency} spender={spender} amount={amount} disabled={disabled || short} />
      )}
    </>
  );
}
