/** A README with its tables of inputs and outputs as the manifest has them. */
export function withTables(readme: string, manifest: string): string;
