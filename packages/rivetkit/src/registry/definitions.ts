import { type ActorNameMetadata, catalogueError } from "@rivetkit/protocol";
import type { AnyActorDefinition } from "../actor/definition.ts";
import { displayMetadata, type ErasedActorConfig, erasedConfig } from "../actor/erased.ts";
import { isDevelopment } from "./config/environment.ts";
import type { RegistryConfig } from "./config/registry-config.types.ts";

/** The definitions of `setup({ use })` by name, as the runtime reads them. */
export function definitionsOf(
	use: Readonly<Record<string, { readonly config: object }>>,
): ReadonlyMap<string, ErasedActorConfig> {
	return new Map(Object.entries(use).map(([name, definition]) => [name, erasedConfig(definition)]));
}

/** The definition of this name. Throws `request.invalid` when there is none (ruling 6). */
export function lookupInRegistry(config: RegistryConfig, name: string): AnyActorDefinition {
	const definition = Object.hasOwn(config.use, name) ? config.use[name] : undefined;
	if (definition) return definition;
	const hint = isDevelopment(process.env)
		? `; registered are: ${Object.keys(config.use).sort().join(", ") || "none"}`
		: "";
	throw catalogueError("request.invalid", { detail: `actor '${name}' is not registered${hint}` });
}

/** The `actorNames` of `/metadata` (contract: protocol 5.1): display name and icon by actor name. */
export function buildActorNames(
	config: RegistryConfig,
): Record<string, { readonly metadata: ActorNameMetadata }> {
	return Object.fromEntries(
		[...definitionsOf(config.use)].map(([name, { display }]) => [
			name,
			{ metadata: displayMetadata(display) },
		]),
	);
}
