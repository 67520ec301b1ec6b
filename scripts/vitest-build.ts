import { buildPackages } from "./build.ts";

/** Vitest global set-up of the projects that run on the built packages. */
export default async function setup(): Promise<void> {
	await buildPackages({ quiet: true });
}
