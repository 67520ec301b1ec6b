import { type ErasedActorConfig, erasedConfig } from "../actor/erased.ts";

/** The definitions of `setup({ use })` by name, as the runtime reads them. */
export function definitionsOf(
	use: Readonly<Record<string, { readonly config: object }>>,
): ReadonlyMap<string, ErasedActorConfig> {
	return new Map(Object.entries(use).map(([name, definition]) => [name, erasedConfig(definition)]));
}
