import { useMemo, useState } from 'react';
import { encode } from 'uqr';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';

/** The address of a pairing: for the camera, for the clipboard, and for a wallet on this very device. */
export default function Pairing({ uri }: { uri: string }) {
  const [copied, setCopied] = useState<string>();
  const copy = () =>
    navigator.clipboard.writeText(uri).then(
      () => setCopied('Copied'),
      () => setCopied('The browser does not let this page use the clipboard; select the text instead'),
    );
  return (
    <div className="pairing">
      <Code text={uri} />
      <p className="hint">
        Scan this in your wallet, where it offers WalletConnect. Nothing of the pairing is kept: after a
        reload of this page you pair again.
      </p>
      <Field
        label="Or paste this in your wallet"
        mono
        readOnly
        value={uri}
        hint={copied}
        onFocus={({ target }) => target.select()}
      />
      <div className="pairing-ways">
        <Button onClick={() => void copy()}>Copy</Button>
        <a className="button button-plain" href={uri}>
          Open a wallet on this device
        </a>
      </div>
      <p role="status">Waiting for your wallet…</p>
    </div>
  );
}

/** Dark on light in both themes: not every camera reads it the other way round. */
function Code({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const code = encode(text, { ecc: 'M', border: 4 });
    const cells = code.data.flatMap((row, y) =>
      row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])),
    );
    return { size: code.size, path: cells.join('') };
  }, [text]);
  return (
    <svg
      className="pairing-code"
      role="img"
      aria-label="QR code of the pairing"
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#ffffff" />
      <path d={path} fill="#000000" />
    </svg>
  );
}
