import init, { takeover, verify_reshare } from '../verify/wasm/verify';
import url from '../verify/wasm/verify_bg.wasm?url';
import type { ReshareAnswer, ReshareTask } from './verifier';

// A thread of its own: pairings of a thousand validators take seconds, and the page stays alive.
const tell = (answer: ReshareAnswer) => self.postMessage(answer);

function run(task: ReshareTask): string {
  const seed = crypto.getRandomValues(new Uint8Array(32));
  switch (task.kind) {
    case 'takeover':
      return takeover(task.certificate, BigInt(task.chainId), task.owner, task.ceremonyId, seed);
    case 'verify':
      return verify_reshare(task.certificate, task.previous, JSON.stringify(task.expected), seed);
  }
}

self.onmessage = (event: MessageEvent<ReshareTask>) => {
  init({ module_or_path: url }).then(
    () => {
      try {
        tell({ json: run(event.data) });
      } catch (error) {
        tell({ fault: error instanceof Error ? error.message : String(error) });
      }
    },
    () => tell({ fault: 'This browser cannot run the verifier (WebAssembly).' }),
  );
};
