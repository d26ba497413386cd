import { RadioGroup } from 'radix-ui';
import type { Address } from 'viem';
import { formatWei } from '../money/wei';
import { AddressField } from '../ui/AddressField';
import { Badge } from '../ui/Badge';
import { Notice } from '../ui/Notice';
import type { Eligibility, Gate } from './contracts';
import type { Draft } from './draft';
import { bondOnCurve } from './plan';
import { MAX_TREE_BYTES, readProof } from './proof';
import type { GateKind } from './queue/types';
import type { DraftErrors } from './validation';

export interface NewOperatorProps {
  draft: Draft;
  onChange: (draft: Draft) => void;
  errors: DraftErrors;
  account: Address;
  gates: readonly Gate[];
  eligibility: ReadonlyMap<GateKind, Eligibility>;
  /** Keys that are chosen. */
  keys: number;
  onProofRefused: (words: string) => void;
}

const GATE_WORDS: Record<GateKind, { name: string; who: string }> = {
  permissionless: { name: 'Permissionless', who: 'Open to everybody.' },
  ics: { name: 'Identified community staker (ICS)', who: 'For addresses on Lido’s list of stakers.' },
  idvtc: {
    name: 'Identified DVT cluster (IDVTC)',
    who: 'For clusters of four verified stakers on Lido’s list.',
  },
};

const ELIGIBILITY: Record<Eligibility, { tone: 'good' | 'neutral' | 'warning'; word: string }> = {
  open: { tone: 'good', word: 'open to you' },
  eligible: { tone: 'good', word: 'you are on the list' },
  not_listed: { tone: 'neutral', word: 'needs a proof' },
  used: { tone: 'warning', word: 'place used already' },
};

export function NewOperatorFields(props: NewOperatorProps) {
  const { draft, onChange, errors } = props;
  const set = (change: Partial<Draft>) => onChange({ ...draft, ...change });
  return (
    <div className="stack csm-new">
      <Gates {...props} />
      {draft.gate !== 'permissionless' && <Proof {...props} />}
      <AddressField
        label="Manager"
        hint="Adds and removes keys. Empty: this wallet."
        placeholder="0x… or empty"
        value={draft.manager}
        error={errors.manager}
        onChange={(address) => set({ manager: address })}
      />
      <AddressField
        label="Reward address"
        hint="Receives bond and rewards. Empty: this wallet."
        placeholder="0x… or empty"
        value={draft.reward}
        error={errors.reward}
        onChange={(address) => set({ reward: address })}
      />
      <Extended checked={draft.extended} onChange={(extended) => set({ extended })} />
      <AddressField
        label="Referrer"
        hint="Who brought you here, if somebody did."
        placeholder="0x… or empty"
        value={draft.referrer}
        error={errors.referrer}
        onChange={(address) => set({ referrer: address })}
      />
    </div>
  );
}

function Gates({ draft, onChange, gates, eligibility, keys }: NewOperatorProps) {
  return (
    <div className="field">
      <span id="gate-label" className="label">
        Enter by
      </span>
      <RadioGroup.Root
        className="options"
        aria-labelledby="gate-label"
        value={draft.gate}
        onValueChange={(gate) => onChange({ ...draft, gate: gate as GateKind })}
      >
        {gates.map((gate) => {
          const standing = eligibility.get(gate.kind);
          const first = gate.curve.at(0)?.minBond ?? 0n;
          const next = gate.curve.at(-1)?.trend ?? 0n;
          return (
            <RadioGroup.Item key={gate.kind} value={gate.kind} className="option">
              <strong className="csm-option-head">
                {GATE_WORDS[gate.kind].name}
                {standing && <Badge tone={ELIGIBILITY[standing].tone}>{ELIGIBILITY[standing].word}</Badge>}
              </strong>
              <span className="hint">
                {GATE_WORDS[gate.kind].who} Bond {formatWei(first)} for the first key, {formatWei(next)} for
                each further one{keys > 0 && `: ${formatWei(bondOnCurve(gate.curve, keys))} for ${keys}`}.
              </span>
            </RadioGroup.Item>
          );
        })}
      </RadioGroup.Root>
    </div>
  );
}

function Proof({ draft, onChange, errors, account, gates, eligibility, onProofRefused }: NewOperatorProps) {
  const standing = eligibility.get(draft.gate);
  const cid = gates.find((gate) => gate.kind === draft.gate)?.treeCid ?? '';
  const choose = async (file: File | undefined) => {
    if (!file) return;
    try {
      if (file.size > MAX_TREE_BYTES) throw new Error('This file is larger than any list of addresses.');
      onChange({ ...draft, proof: readProof(await file.text(), account).join('\n') });
    } catch (error) {
      onProofRefused(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="stack">
      <div className="field">
        <label htmlFor="proof">Proof that {account.slice(0, 8)}… is on the list</label>
        <textarea
          id="proof"
          className="input mono csm-proof"
          spellCheck={false}
          rows={4}
          value={draft.proof}
          aria-invalid={errors.proof ? true : undefined}
          aria-describedby="proof-hint"
          onChange={({ target }) => onChange({ ...draft, proof: target.value })}
        />
        <span id="proof-hint" className="hint wrap">
          Paste the hashes, or choose the list as Lido publishes it{cid !== '' && ` (IPFS ${cid})`}. The file
          does not leave this browser.
        </span>
        {errors.proof && (
          <span className="field-error" role="alert">
            {errors.proof}
          </span>
        )}
      </div>
      <div className="field">
        <label htmlFor="proof-file">Proof or list in a file</label>
        <input
          id="proof-file"
          type="file"
          className="input"
          accept=".json,application/json"
          onChange={({ target }) => void choose(target.files?.[0])}
        />
      </div>
      {standing === 'used' && (
        <Notice kind="warning" title="This address has used its place">
          <p>Each address enters by this gate once. Use the permissionless gate.</p>
        </Notice>
      )}
    </div>
  );
}

function Extended({ checked, onChange }: { checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <div className="field">
      <label className="check">
        <input
          type="checkbox"
          checked={checked}
          aria-describedby="extended-hint"
          onChange={({ target }) => onChange(target.checked)}
        />
        <span>Extended manager permissions</span>
      </label>
      <span id="extended-hint" className="hint">
        The manager owns the node operator and may change the reward address: for a group whose manager is its
        Safe and whose rewards go to a splitter. It can never be changed later.
      </span>
    </div>
  );
}
