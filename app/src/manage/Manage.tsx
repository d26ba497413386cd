import type { Hex } from 'viem';
import type { Validator } from '../api/validators';
import { describeCall } from '../network/words';
import { NeedsChain, type Chain } from '../network/NeedsChain';
import { useSubscriptions, useTerms } from '../network/terms';
import { ReplaceCard } from '../replace/ReplaceCard';
import { OwnSent } from '../register/OwnSent';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { ExitCard } from './ExitCard';
import { FeeRecipientCard } from './FeeRecipientCard';
import { isLeaving } from './progress';
import { SubscriptionCard } from './SubscriptionCard';

/** What the owner of a validator can do with it; nothing where the service reads no chain. */
export function Manage({ validator }: { validator: Validator }) {
  if (!validator.facts || !validator.deposit_data) return null;
  return <NeedsChain>{(chain) => <Parts chain={chain} validator={validator} />}</NeedsChain>;
}

function Parts({ chain, validator }: { chain: Chain; validator: Validator }) {
  const terms = useTerms(chain.addresses.network);
  const held = useSubscriptions(chain.addresses.network, [validator.pubkey as Hex]);
  const subscription = held.data?.[0];
  const error = terms.error ?? held.error;
  const { facts, pubkey } = validator;
  if (error) {
    return (
      <Notice kind="error" title="The chain cannot be read">
        <p>{describeCall(error)}</p>
        <Button
          onClick={() => {
            void terms.refetch();
            void held.refetch();
          }}
        >
          Try again
        </Button>
      </Notice>
    );
  }
  if (!terms.data || !subscription || !facts) return <Skeleton label="The chain" rows={4} />;
  return (
    <>
      <OwnSent
        kinds={['register', 'top-up', 'exit', 'remove', 'replace', 'fee-recipient']}
        title="Transactions"
        about={pubkey}
      />
      <SubscriptionCard chain={chain} validator={validator} terms={terms.data} subscription={subscription} />
      <div className="pair">
        <ExitCard chain={chain} validator={validator} facts={facts} registered={subscription.registered} />
        <FeeRecipientCard chain={chain} validator={validator} />
      </div>
      {subscription.registered && !isLeaving(facts) && <ReplaceCard validator={validator} />}
    </>
  );
}
