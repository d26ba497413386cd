import { useState } from 'react';
import type { Address, Hex } from 'viem';
import { Amount } from '../network/Amount';
import { describeCall } from '../network/words';
import { Badge } from '../ui/Badge';
import { Card } from '../ui/Card';
import { useDistribution, useStrikesRoot, type Key, type Rules } from './data';
import { leewayWords } from './leeway';
import { isEmptyRoot, strikesOf, sumOf, type Strikes } from './strikes';
import { MOST_BYTES } from './tree';
import { TreeFile } from './TreeFile';

const ETH = { symbol: 'ETH', decimals: 18 };

interface Props {
  id: number;
  keys: readonly Key[];
  rules: Rules | undefined;
  accounting: Address | undefined;
  exitPenalties: Address | undefined;
  strikes: Strikes | undefined;
  onStrikes: (strikes: Strikes | undefined) => void;
}

/** By which rule validators get strikes, and which they have as far as it is known. */
export function StrikesCard({ id, keys, rules, accounting, exitPenalties, strikes, onStrikes }: Props) {
  const root = useStrikesRoot(exitPenalties);
  const distribution = useDistribution(accounting, id);
  if (exitPenalties === undefined) return null;
  const log = distribution.data?.logCid;
  return (
    <Card
      title="Performance and strikes"
      aside={<Badge tone={strikes ? 'good' : 'neutral'}>{strikes ? 'proven' : 'not known'}</Badge>}
    >
      {rules && <Threshold rules={rules} />}
      <p className="hint wrap">
        The network’s performance is known at the end of a frame. Lido’s oracle publishes it with the figures
        of every validator{log ? `, on IPFS as ${log}` : '; it has published none yet'}. The contract has
        nothing of it but this name, so that it is not shown here.
      </p>
      {root.error && <p className="field-error">{describeCall(root.error)}</p>}
      {root.data && (
        <Given
          id={id}
          root={root.data.root}
          cid={root.data.cid}
          given={strikes !== undefined}
          onStrikes={onStrikes}
        />
      )}
      {strikes && <Counted keys={keys} strikes={strikes} rules={rules} />}
    </Card>
  );
}

function Threshold({ rules: { leeway, strikesThreshold, strikesLifetime, penalty } }: { rules: Rules }) {
  return (
    <dl className="facts">
      <dt>A strike for each frame in which a validator performs below</dt>
      <dd>the network’s performance less {leewayWords(leeway) || 'a leeway that is not set'}</dd>
      <dt>Forced exit</dt>
      <dd>
        at {String(strikesThreshold)} strikes within {String(strikesLifetime)} frames, for{' '}
        <Amount value={penalty} currency={ETH} /> of the bond
      </dd>
    </dl>
  );
}

interface GivenProps {
  id: number;
  root: Hex;
  cid: string;
  given: boolean;
  onStrikes: (strikes: Strikes | undefined) => void;
}

/** The contract knows the root of the tree alone: strikes are known to whoever has the file. */
function Given({ id, root, cid, given, onStrikes }: GivenProps) {
  const [refused, setRefused] = useState<string>();
  if (isEmptyRoot(root)) return <p className="hint">Lido’s oracle has reported no strikes of anybody.</p>;
  const read = async (file: File | undefined) => {
    setRefused(undefined);
    onStrikes(undefined);
    if (!file) return;
    try {
      if (file.size > MOST_BYTES) throw new Error('The file is larger than any tree of strikes.');
      onStrikes(strikesOf(await file.text(), id, root));
    } catch (error) {
      setRefused(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <TreeFile
      label="Tree of strikes (JSON)"
      hint={
        given
          ? 'The whole file leads to the root in the contract.'
          : `Which validators have strikes is not known yet: the contract says only the root and the name of the tree. Give the file: it is on IPFS as ${cid}.`
      }
      refused={refused}
      onFile={(file) => void read(file)}
    />
  );
}

function Counted({
  keys,
  strikes,
  rules,
}: {
  keys: readonly Key[];
  strikes: Strikes;
  rules: Rules | undefined;
}) {
  const held = keys.filter(({ pubkey }) => sumOf(strikes.get(pubkey.toLowerCase())) > 0);
  if (held.length === 0) return <p>None of your validators has a strike.</p>;
  const of = rules ? ` of ${rules.strikesThreshold}` : '';
  return (
    <ul className="rows">
      {held.map(({ index, pubkey }) => (
        <li key={pubkey} className="row-plain">
          <span className="hint figure">{index}</span>
          <span className="mono" title={pubkey}>
            {pubkey.slice(0, 10)}…{pubkey.slice(-8)}
          </span>
          <Badge
            tone={
              rules && BigInt(sumOf(strikes.get(pubkey.toLowerCase()))) >= rules.strikesThreshold
                ? 'bad'
                : 'warning'
            }
          >
            {`${sumOf(strikes.get(pubkey.toLowerCase()))}${of} strikes`}
          </Badge>
        </li>
      ))}
    </ul>
  );
}
