/** The text of src/csm/abi.ts. */
export function generate(): Promise<string>;
