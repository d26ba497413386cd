import { runVerification } from './run';
import type { VerifyMessage, VerifyTask } from './types';
import init, { Verification } from './wasm/verify';
import url from './wasm/verify_bg.wasm?url';

// A thread of its own: pairings of a thousand validators take seconds, and the page stays alive.
const tell = (message: VerifyMessage) => self.postMessage(message);

self.onmessage = (event: MessageEvent<VerifyTask>) => {
  init({ module_or_path: url }).then(
    () =>
      runVerification(
        (certificate, deposits, expected) => new Verification(certificate, deposits, expected),
        event.data,
        tell,
      ),
    () => tell({ kind: 'failed', reason: 'This browser cannot run the verifier (WebAssembly).' }),
  );
};
