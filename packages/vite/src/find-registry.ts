import type { Registry } from "rivetkit";

/** A registry of whichever copy of the package the application loads. */
function isRegistry(value: unknown): value is Registry {
	const candidate = value as Partial<Registry> | null | undefined;
	return (
		typeof candidate === "object" &&
		typeof candidate?.develop === "function" &&
		typeof candidate.parseConfig === "function"
	);
}

/**
 * The registry a module exports: as `registry`, else as its default, else as its only one.
 *
 * @param file - how the module is named in messages
 * @throws Error when there is none, or no telling which
 */
export function findRegistry(module: Readonly<Record<string, unknown>>, file: string): Registry {
	const { registry, default: byDefault } = module;
	if (isRegistry(registry)) return registry;
	if (isRegistry(byDefault)) return byDefault;
	const others = Object.entries(module).filter(([, value]) => isRegistry(value));
	if (others.length > 1) {
		const names = others.map(([name]) => name).join(", ");
		throw new Error(
			`${file} exports several registries (${names}): call the one to run "registry"`,
		);
	}
	const [only] = others;
	if (only === undefined) {
		const given = Object.keys(module).join(", ") || "nothing";
		throw new Error(
			`${file} exports no registry, but ${given}: add "export const registry = setup({ use: { … } })"`,
		);
	}
	return only[1] as Registry;
}
