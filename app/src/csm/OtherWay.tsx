import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { download } from '../ui/download';
import type { Verdict, VerifiedKey } from './verified';

/** The launchpad's file with these keys alone: the entries as they were verified, in their order. */
export function launchpadFile(verdicts: readonly Verdict[], keys: readonly VerifiedKey[]): string {
  const wanted = new Set<string>(keys.map((key) => key.pubkey));
  const entries = verdicts.flatMap(({ task, keys: verified }) =>
    verified.length === 0 ? [] : (JSON.parse(task.depositData) as { pubkey: string }[]),
  );
  return JSON.stringify(entries.filter((entry) => wanted.has(`0x${entry.pubkey.toLowerCase()}`)));
}

/** Deposit data as a file, for whoever submits them elsewhere. */
export function OtherWay({ verdicts, keys }: { verdicts: readonly Verdict[]; keys: readonly VerifiedKey[] }) {
  return (
    <Card title="Or another way">
      <p className="hint">
        Take the deposit data of the chosen validators as a file, and upload it on Lido&apos;s own page
        (csm.lido.fi). Do not upload it in both places: CSM would take a key twice.
      </p>
      <Button
        disabled={keys.length === 0}
        onClick={() => download(`deposit_data-csm-${keys.length}.json`, launchpadFile(verdicts, keys))}
      >
        Download deposit data
      </Button>
    </Card>
  );
}
