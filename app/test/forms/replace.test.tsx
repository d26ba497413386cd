// @vitest-environment jsdom
// The choice of a new committee and the start of its reshare: real certificates, the compiled verifier.
// Before what calls the service.
import { askedOf, serve } from './service';
import { screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import type { Address } from 'viem';
import { describe, expect, test } from 'vitest';
import { ReplacePage } from '../../src/replace/ReplacePage';
import { certificateOf, open, prepare } from './replacing';
import { ceremony, OPERATORS, PREVIOUS, PUBKEYS, RESHARE, validator } from './reshare';
import { SIGNATURE } from './stage';

const [PUBKEY] = PUBKEYS;
const at = (byte: string): Address => `0x${byte.repeat(20)}`;
const disabled = (element: HTMLElement) => (element as HTMLButtonElement).disabled;

prepare();

const verified = () => screen.findByText('its certificate is verified in this browser');
const start = () => screen.getByRole('button', { name: 'Sign and make new shares' });
const box = (id: number) => screen.getByRole('checkbox', { name: `Operator ${id} #${id}` });

/** What a screen reader is told. */
const said = () =>
  screen
    .getAllByRole('status')
    .map(({ textContent }) => textContent)
    .join(' ');

/** Operator 105 in the place of 104. */
async function choose() {
  await verified();
  await userEvent.click(box(104));
  await userEvent.click(box(105));
}

describe('who may be chosen', () => {
  test('an operator of the committee is in it once, and nobody comes before somebody leaves', async () => {
    await open(<ReplacePage />);
    await verified();
    const boxes = within(screen.getByRole('table')).getAllByRole('checkbox');
    expect(boxes.map((one) => (one as HTMLInputElement).checked)).toEqual([true, true, true, true, false]);
    expect(disabled(box(105))).toBe(true);
    expect(said()).toContain('This is the present committee');
    expect(disabled(start())).toBe(true);
    await userEvent.click(box(104));
    expect(disabled(box(105))).toBe(false);
    expect(said()).toContain('Choose 1 more');
    // Back again: it stays, and comes in nobody's place.
    await userEvent.click(box(104));
    expect(said()).toContain('This is the present committee');
    expect(disabled(box(105))).toBe(true);
    expect(screen.getAllByText('nobody')).toHaveLength(2);
    expect(disabled(start())).toBe(true);
  });

  test('without a candidate nothing can be asked for', async () => {
    serve('GET /v1/operators', { items: [...OPERATORS.slice(0, 4), { ...OPERATORS[4], active: false }] });
    await open(<ReplacePage />);
    await verified();
    expect(screen.queryByRole('checkbox', { name: /105/ })).toBeNull();
    await userEvent.click(box(104));
    expect(said()).toContain('Choose 1 more: the new committee has 3 of 4');
    expect(disabled(start())).toBe(true);
  });

  test('another wallet than the owner’s is told so, and can start nothing', async () => {
    const { signed } = await open(<ReplacePage />, { account: at('99') });
    await choose();
    await screen.findByText('Connect the wallet that owns the validators: it signs the request.');
    expect(screen.queryByRole('button', { name: 'Sign and make new shares' })).toBeNull();
    expect(signed).toEqual([]);
  });

  test('shares of a reshare that is not ready cannot be moved on', async () => {
    const committee = RESHARE.transcript.committee.map(({ operator_id }) => operator_id);
    const running = ceremony(RESHARE, { previous_ceremony_id: PREVIOUS.ceremony_id, status: 'running' });
    serve(`GET /v1/validators/${PUBKEY}`, validator(committee));
    serve('GET /v1/ceremonies', { items: [running, ceremony(PREVIOUS)] });
    await open(<ReplacePage />);
    await screen.findByText('The shares of this validator cannot be moved');
    expect(screen.getByText(/made the shares of operators 101, 102, 103, 105/)).toBeTruthy();
    expect(screen.queryByRole('button')).toBeNull();
  });
});

describe('the start', () => {
  test('what is signed is what the verified certificate says; while it is under way nobody can press again', async () => {
    let answer: (response: Response) => void = () => undefined;
    serve('POST /v1/requests', () => new Promise<Response>((resolve) => (answer = resolve)));
    const { signed, router } = await open(<ReplacePage />);
    await choose();
    await userEvent.click(start());
    await waitFor(() => expect(askedOf('/v1/requests')).toHaveLength(1));
    const busy = screen.getByRole('button', { name: 'Sign in your wallet' });
    expect(disabled(busy)).toBe(true);
    await userEvent.click(busy);
    const { reshare } = RESHARE.transcript.request.request;
    expect(signed).toHaveLength(1);
    expect(signed[0]).toMatchObject({
      primaryType: 'ReshareRequest',
      message: {
        operatorIds: [101, 102, 103, 105],
        previousCeremony: PREVIOUS.ceremony_id,
        previousOperatorIds: [101, 102, 103, 104],
        previousShareKeys: reshare?.share_keys,
        validators: reshare?.validators,
      },
    });
    expect(askedOf('/v1/requests')[0]?.body).toMatchObject({
      request: { operator_ids: [101, 102, 103, 105], reshare },
      signature: SIGNATURE,
    });
    answer(Response.json({ ceremony_id: RESHARE.ceremony_id }, { status: 202 }));
    await screen.findByText('the ceremony');
    expect(router.state.location.pathname).toBe(`/ceremonies/${RESHARE.ceremony_id}`);
    expect(askedOf('/v1/requests')).toHaveLength(1);
  });

  test('refused, it says why and asks for another signature; not reached, the same one is sent again', async () => {
    const refusal = { title: 'Conflict', status: 409, detail: 'A reshare of these validators is under way.' };
    serve('POST /v1/requests', () => Response.json(refusal, { status: 409 }));
    const { signed, router } = await open(<ReplacePage />);
    await choose();
    await userEvent.click(start());
    const notice = await screen.findByRole('alert');
    expect(notice.textContent).toMatch(/The reshare was not started.*is under way/);
    serve('POST /v1/requests', () => Promise.reject(new TypeError('connection refused')));
    await userEvent.click(start());
    await screen.findByText(/The service cannot be reached/);
    expect(signed).toHaveLength(2);
    serve('POST /v1/requests', { ceremony_id: RESHARE.ceremony_id });
    await userEvent.click(start());
    await screen.findByText('the ceremony');
    expect(signed).toHaveLength(2);
    const [, second, third] = askedOf('/v1/requests').map(({ body }) => body);
    expect(third).toEqual(second);
    expect(router.state.location.pathname).toBe(`/ceremonies/${RESHARE.ceremony_id}`);
  });

  test.each([
    ['of another ceremony', RESHARE.text],
    ['with a changed key', PREVIOUS.text.replaceAll(PUBKEYS[1] ?? '', PUBKEY ?? '')],
    ['that is none', '{}'],
  ])('there is none with a certificate %s; a good one heals it', async (_, text) => {
    serve(certificateOf(PREVIOUS.ceremony_id), () => new Response(text));
    await open(<ReplacePage />);
    await screen.findByText('The committee cannot be shown');
    await userEvent.click(box(104));
    await userEvent.click(box(105));
    expect(disabled(start())).toBe(true);
    serve(certificateOf(PREVIOUS.ceremony_id), () => new Response(PREVIOUS.text));
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await verified();
    expect(disabled(start())).toBe(false);
  });
});
