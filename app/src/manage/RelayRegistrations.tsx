import { useUpkeep, type OperatorUpkeep } from '../api/upkeep';
import { Button } from '../ui/Button';
import { Hash } from '../ui/Hash';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { OperatorWords } from './OperatorWords';
import { mismatches, relayView, relayWord, type RelayWord } from './relay';

interface Props {
  pubkey: string;
  /** The one that is set now; undefined while it is not known. */
  recipient: string | undefined;
}

/** Whom builders pay for a validator's blocks, as each operator says that its relays know it. */
export function RelayRegistrations({ pubkey, recipient }: Props) {
  const { data: items, error, refetch } = useUpkeep(pubkey);
  if (!items) {
    if (!error) return <Skeleton label="The registration with relays" rows={2} />;
    return (
      <>
        <p className="field-error">What relays know cannot be shown: {error.message}</p>
        <Button onClick={() => void refetch()}>Try again</Button>
      </>
    );
  }
  const view = relayView(items);
  if (view === 'unsaid')
    return <p className="hint">No operator has said yet what builders’ relays know of this validator.</p>;
  if (view === 'off')
    return (
      <p className="hint">
        This validator’s blocks are built by the operators’ own beacon nodes: none of them asks builders.
      </p>
    );
  return <Each items={items} recipient={recipient} />;
}

function Each({ items, recipient }: { items: readonly OperatorUpkeep[]; recipient: string | undefined }) {
  const others = mismatches(items, recipient);
  return (
    <>
      <h3>Relay registration</h3>
      {others > 0 && (
        <Notice kind="error" title="Relays know another fee recipient">
          <p>
            {others} of {items.length} operators {others === 1 ? 'has' : 'have'} registered this validator for
            an address other than the fee recipient above. It may take up to 10 epochs (about an hour) until
            relays know a changed one; builders pay to the other address until then.
          </p>
        </Notice>
      )}
      <OperatorWords
        label="Operators on the registration with relays"
        words={items.map(({ operator_id, relay }) => {
          const said = relayWord(relay, recipient);
          return {
            operatorId: operator_id,
            tone: said.tone,
            word: said.word,
            ...(said.epoch === undefined ? {} : { more: <Details said={said} /> }),
          };
        })}
      />
      <p className="hint">Operators speak of themselves alone: each has its own beacon node and relays.</p>
    </>
  );
}

function Details({ said: { epoch, recipient, gasLimit } }: { said: RelayWord }) {
  return (
    <>
      since epoch {epoch}
      {recipient !== undefined && (
        <>
          {' '}
          for <Hash value={recipient} label="fee recipient of the registration" />
        </>
      )}
      {gasLimit !== undefined && <>, gas limit {gasLimit.toLocaleString()}</>}
    </>
  );
}
