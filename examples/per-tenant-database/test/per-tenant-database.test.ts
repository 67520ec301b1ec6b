import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "example-support/free-port";
import { createClient } from "rivetkit/client";
import { afterEach, expect, it } from "vitest";
import type { registry } from "../src/actors.ts";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The example's server; resolves when it listens. */
async function start(env: NodeJS.ProcessEnv): Promise<ChildProcess> {
	const child = spawn(process.execPath, [join(folder, "src", "server.ts")], {
		env: { ...process.env, NODE_ENV: "", ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	cleanUps.push(() => end(child, "SIGKILL"));
	let output = "";
	await new Promise<void>((resolve, reject) => {
		const hear = (chunk: Buffer) => {
			output += chunk.toString();
			if (output.includes("Customers at") && output.includes("Endpoint:")) resolve();
		};
		child.stdout.on("data", hear);
		child.stderr.on("data", hear);
		child.on("close", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
	});
	return child;
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
	return new Promise((resolve) => {
		child.once("exit", () => resolve());
		child.kill(signal);
	});
}

it("keeps tenants apart, orders all or nothing, and everything over a kill -9", async () => {
	const data = await mkdtemp(join(tmpdir(), "per-tenant-database-"));
	cleanUps.push(() => rm(data, { recursive: true, force: true }));
	const [port, managerPort] = [await freePort(), await freePort()];
	const env = {
		PORT: `${port}`,
		MANAGER_PORT: `${managerPort}`,
		RIVETKIT_STORAGE_PATH: data,
	};
	const server = await start(env);
	const client = createClient<typeof registry>(`http://127.0.0.1:${managerPort}`);
	cleanUps.push(() => client.dispose());
	const acme = client.tenant.getOrCreate(["acme"]);
	const globex = client.tenant.getOrCreate(["globex"]);

	const { id } = await acme.addCustomer("Wile E. Coyote");
	await globex.addCustomer("Homer");
	await acme.addOrders(id, [
		{ item: "Anvil", cents: 10_000 },
		{ item: "Rocket", cents: 25_000 },
	]);
	await expect(acme.addCustomer("Wile E. Coyote")).rejects.toMatchObject({ code: "name_taken" });
	const badOrder = [
		{ item: "Magnet", cents: 100 },
		{ item: "Advice", cents: 0 },
	];
	await expect(acme.addOrders(id, badOrder)).rejects.toMatchObject({ code: "no_price" });
	const overview = [{ id, name: "Wile E. Coyote", orders: 2, cents: 35_000 }];
	expect(await acme.overview()).toEqual(overview);
	expect(await globex.overview()).toEqual([{ id: 1, name: "Homer", orders: 0, cents: 0 }]);

	await end(server, "SIGKILL");
	await start(env);
	expect(await acme.overview()).toEqual(overview);
	expect(await acme.revenue()).toBe(35_000);
	expect(await globex.revenue()).toBe(0);
});
