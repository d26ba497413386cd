/* tslint:disable */
/* eslint-disable */

/**
 * A verification that goes on step by step, so that a page can show how far it is.
 */
export class Verification {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Verifies the certificate in full: JSON of a list of [`Outcome`]. `seed` has 32 fresh random bytes; they draw the coefficients of
     * the batch checks, which whoever made the certificate must not foresee.
     */
    certificate(seed: Uint8Array): string;
    /**
     * Verifies `count` deposits from position `first` on: JSON of the first [`Outcome`] that is wrong, or of one that is right.
     */
    deposits(first: number, count: number): string;
    /**
     * Takes what the service gave out and what the owner expects.
     *
     * `certificate` is `certificate.json`, `deposit_data` the launchpad's array, `expected` the JSON of [`Expected`]. Errors name
     * the field that cannot be read.
     */
    constructor(certificate: string, deposit_data: string, expected: string);
    /**
     * The verified keys in order, 0x hex: JSON of a list.
     */
    pubkeys(): string;
    /**
     * Compares with what the owner asked for: JSON of a list of [`Outcome`].
     */
    request(): string;
    /**
     * Number of deposits, for [`Verification::deposits`].
     */
    readonly deposit_count: number;
}

/**
 * The ceremony that a signed request starts: 0x hex. `request` is the JSON of an owner's request.
 */
export function ceremony_id(request: string): string;

/**
 * The address of Lido's withdrawal vault on the chain with this id; nothing on a chain that the software does not know.
 */
export function lido_withdrawal_vault(chain_id: bigint): string | undefined;

/**
 * What a reshare of a ceremony takes over: JSON of a [`Takeover`], after its certificate was verified in full. `seed` has 32 fresh
 * random bytes.
 */
export function takeover(certificate: string, chain_id: bigint, owner: string, ceremony_id: string, seed: Uint8Array): string;

/**
 * Verifies the certificate of a reshare against that of the ceremony before and what the owner expects: JSON of a list of
 * [`Outcome`]. `seed` has 32 fresh random bytes.
 */
export function verify_reshare(certificate: string, previous: string, expected: string, seed: Uint8Array): string;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_verification_free: (a: number, b: number) => void;
    readonly ceremony_id: (a: number, b: number) => [number, number, number, number];
    readonly lido_withdrawal_vault: (a: bigint) => [number, number];
    readonly takeover: (a: number, b: number, c: bigint, d: number, e: number, f: number, g: number, h: number, i: number) => [number, number, number, number];
    readonly verification_certificate: (a: number, b: number, c: number) => [number, number, number, number];
    readonly verification_deposit_count: (a: number) => number;
    readonly verification_deposits: (a: number, b: number, c: number) => [number, number];
    readonly verification_new: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number];
    readonly verification_pubkeys: (a: number) => [number, number];
    readonly verification_request: (a: number) => [number, number];
    readonly verify_reshare: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => [number, number, number, number];
    readonly ring_core_0_17_14__bn_mul_mont: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path?: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
