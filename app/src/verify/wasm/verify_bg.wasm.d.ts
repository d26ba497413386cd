/* tslint:disable */
/* eslint-disable */
export const memory: WebAssembly.Memory;
export const __wbg_verification_free: (a: number, b: number) => void;
export const ceremony_id: (a: number, b: number) => [number, number, number, number];
export const lido_withdrawal_vault: (a: bigint) => [number, number];
export const takeover: (a: number, b: number, c: bigint, d: number, e: number, f: number, g: number, h: number, i: number) => [number, number, number, number];
export const verification_certificate: (a: number, b: number, c: number) => [number, number, number, number];
export const verification_deposit_count: (a: number) => number;
export const verification_deposits: (a: number, b: number, c: number) => [number, number];
export const verification_new: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number];
export const verification_pubkeys: (a: number) => [number, number];
export const verification_request: (a: number) => [number, number];
export const verify_reshare: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => [number, number, number, number];
export const ring_core_0_17_14__bn_mul_mont: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
export const __wbindgen_externrefs: WebAssembly.Table;
export const __wbindgen_malloc: (a: number, b: number) => number;
export const __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
export const __externref_table_dealloc: (a: number) => void;
export const __wbindgen_free: (a: number, b: number, c: number) => void;
export const __wbindgen_start: () => void;
