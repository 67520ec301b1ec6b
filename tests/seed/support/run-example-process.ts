// Runs one example of the guide in a process of its own: `run-example-process.ts <folder> <server> <program>`.
// `server` is a module that exports a registry, or "-"; `program` runs against it, as a user's would.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Registry } from "rivetkit";

const [folder, server, program] = process.argv.slice(2) as [string, string, string];
const load = (file: string) => import(pathToFileURL(join(folder, file)).href);

const storagePath = await mkdtemp(join(tmpdir(), "rivetkit-example-"));
process.env.RIVETKIT_STORAGE_PATH = storagePath;
try {
	if (server !== "-") {
		const { registry } = (await load(server)) as { registry: Registry };
		registry.config.managerPort = 0;
		registry.config.noWelcome = true;
		process.env.RIVET_ENDPOINT = (await registry.listen()).url;
	}
	const exported = (await load(program)) as {
		default?: { fetch?(request: Request): Response | Promise<Response> };
	};
	if (exported.default?.fetch) {
		const request = new Request("http://localhost/api/rivet/metadata");
		const response = await exported.default.fetch(request);
		console.log(
			"metadata",
			response.status,
			((await response.json()) as { runtime: string }).runtime,
		);
	}
} finally {
	await rm(storagePath, { recursive: true, force: true });
}
// The program's clients and servers are its own and would keep it running.
process.exit(0);
