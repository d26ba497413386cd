// The service as a test wants it. To be imported before what calls it: the client keeps the `fetch` that is there when it is loaded.
import { beforeEach, vi } from 'vitest';

/** One request, with what was sent along. */
export interface Asked {
  method: string;
  path: string;
  body: unknown;
}

type Answer = (asked: Asked) => Response | Promise<Response>;

const answers = new Map<string, Answer>();
const asked: Asked[] = [];

beforeEach(() => {
  answers.clear();
  asked.length = 0;
});

/** What the service answers to a call such as "GET /v1/operators"; anything else is refused. */
export function serve(call: string, answer: unknown): void {
  answers.set(call, typeof answer === 'function' ? (answer as Answer) : () => Response.json(answer));
}

/** Every request to a path since the test began. */
export const askedOf = (path: string) => asked.filter((one) => one.path === path);

async function answerTo(input: Request | string | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(new URL(input instanceof Request ? input.url : input, window.location.href), {
    ...(input instanceof Request ? { method: input.method } : init),
  });
  const text = input instanceof Request ? await input.text() : '';
  const one: Asked = {
    method: request.method,
    path: new URL(request.url).pathname,
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
  asked.push(one);
  const answer = answers.get(`${one.method} ${one.path}`);
  if (!answer) throw new TypeError(`the test does not know ${one.method} ${one.path}`);
  return answer(one);
}

vi.stubGlobal('fetch', answerTo);
