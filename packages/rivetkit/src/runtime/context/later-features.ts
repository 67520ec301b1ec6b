import { catalogueError } from "@rivetkit/protocol";

/**
 * Context members whose runtime is not part of this release. Any use throws `feature.not_implemented`,
 * synchronously, so that a call nobody awaits cannot go unnoticed.
 */
function unavailable(feature: string): object {
	return new Proxy(Object.freeze({}), {
		get(_target, property) {
			if (typeof property === "symbol") return undefined;
			throw catalogueError("feature.not_implemented", { feature: `${feature}.${property}` });
		},
	});
}

export const LATER_FEATURES: Readonly<Record<"db", object>> = {
	db: unavailable("c.db"),
};
