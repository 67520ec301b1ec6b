import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { stopSharedServer } from "./lib/postgres-server.ts";

declare module "vitest" {
	export interface ProvidedContext {
		/** Where the one PostgreSQL of the run is noted. */
		postgresFolder: string;
	}
}

/** Vitest global set-up: one PostgreSQL for all files, started by the first test that asks for it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	const folder = await mkdtemp(join(tmpdir(), "rivetkit-run-"));
	project.provide("postgresFolder", folder);
	return () => stopSharedServer(folder);
}
