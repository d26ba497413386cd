import type { Address } from 'viem';
import { Amount } from '../network/Amount';
import { TOKEN_ABI } from '../network/abi';
import { useSend } from '../network/send';
import type { Currency } from '../network/terms';
import { describeCall } from '../network/words';
import { Button } from '../ui/Button';

interface Props {
  token: Currency;
  spender: Address;
  /** Exactly this may be taken, and no more. */
  amount: bigint;
  disabled: boolean;
}

/** The step before a fee in tokens: the contract may take exactly the fee. */
export function Approval({ token, spender, amount, disabled }: Props) {
  const send = useSend();
  if (!token.token) return null;
  const call = { address: token.token, abi: TOKEN_ABI, functionName: 'approve', args: [spender, amount] };
  return (
    <div className="batch">
      <span>First allow the contract to take the fee</span>
      <Amount value={amount} currency={token} />
      <Button
        kind="primary"
        busy={send.isPending}
        disabled={disabled}
        onClick={() => send.mutate({ kind: 'approve', about: [spender], call })}
      >
        {send.isPending ? 'Answer in your wallet' : 'Allow'}
      </Button>
      {send.error && <span className="field-error">{describeCall(send.error)}</span>}
    </div>
  );
}
