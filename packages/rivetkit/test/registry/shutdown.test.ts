import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient, HttpRequestError } from "../../src/client/index.ts";
import { ServerProcess } from "../crash/server-process.ts";
import { eventually } from "../support/eventually.ts";

/** What a process does on its way out (lifecycle L55, L56). */

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function setUp(mode = "") {
	const data = await mkdtemp(join(tmpdir(), "shutdown-"));
	const port = await freePort();
	const server = new ServerProcess("../registry/stoppable-server.ts", [data, `${port}`, mode]);
	const client = createClient(`http://127.0.0.1:${port}`);
	const keeper = client.keeper!.getOrCreate(["one"]);
	cleanUps.push(
		() => rm(data, { recursive: true, force: true }),
		() => server.end("SIGKILL"),
		() => client.dispose(),
	);
	await server.start();
	return { server, keeper, client, port };
}

/** Whether somebody accepts connections there. */
function connects(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ port, host: "127.0.0.1" });
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}

/** The client repeats a call for some seconds, and a busy machine needs more for a start. What was refused had no effect. */
async function untilServed<T>(call: () => Promise<T>): Promise<T> {
	for (;;) {
		try {
			return await call();
		} catch (error) {
			if (!((error as Error).cause instanceof HttpRequestError)) throw error;
		}
	}
}

// Each starts one or two processes.
describe("shutdown", () => {
	it("lets all actors sleep on SIGTERM, saves them, and exits with 0", async () => {
		const { server, keeper } = await setUp();
		expect(await keeper.add(3)).toBe(3);
		expect(await server.end("SIGTERM")).toBe(0);
		await server.start();
		expect(await keeper.read()).toEqual({ count: 3, slept: 1 });
	});

	it("does the same on SIGINT", async () => {
		const { server, keeper } = await setUp();
		await keeper.add(1);
		expect(await server.end("SIGINT")).toBe(0);
		await server.start();
		expect(await keeper.read()).toEqual({ count: 1, slept: 1 });
	});

	it("answers the call in progress first, and the next start serves one that comes meanwhile", async () => {
		const { server, keeper, port } = await setUp();
		await keeper.add(1);
		const slow = keeper.slowAdd(10) as Promise<number>;
		await eventually(() => expect(server.output).toContain("working"));
		const ended = server.end("SIGTERM");
		await eventually(() => expect(connects(port)).resolves.toBe(false));
		const late = untilServed(() => keeper.add(100) as Promise<number>);
		expect(await slow).toBe(11);
		expect(await ended).toBe(0);
		await server.start();
		expect(await late).toBe(111);
		expect(await keeper.read()).toEqual({ count: 111, slept: 1 });
	});

	it("waits for a call that never ends no longer than the grace period, and keeps what it wrote", async () => {
		const { server, keeper } = await setUp("impatient");
		await keeper.add(1);
		const hanging = (keeper.hang() as Promise<never>).catch(
			(error: { code: string }) => error.code,
		);
		await eventually(() => expect(server.output).toContain("working"));
		expect(await server.end("SIGTERM")).toBe(0);
		expect(await hanging).toBe("stopping");
		expect(server.output).toContain("still waiting for 1 action in progress: hang");
		await server.start();
		expect(await keeper.read()).toEqual({ count: 2, slept: 1 });
	});

	it("finds everything at the next start: actors that were awake, and those that slept", async () => {
		const { server, client } = await setUp();
		const keys = Array.from({ length: 60 }, (_, index) => [`many ${index}`]);
		const handles = () => keys.map((key) => client.keeper!.getOrCreate(key));
		await Promise.all(handles().map((handle, index) => handle.add(index)));
		const napping = handles().filter((_, index) => index % 3 === 0);
		await Promise.all(napping.map((handle) => handle.nap()));
		expect(await server.end("SIGTERM")).toBe(0);
		await server.start();
		const states = await Promise.all(handles().map((handle) => handle.read()));
		expect(states).toEqual(keys.map((_, index) => ({ count: index, slept: 1 })));
	});

	it("exits at once on a second signal, and names the actors that are not saved", async () => {
		const { server, keeper } = await setUp("stuck");
		await keeper.add(1);
		const ended = server.end("SIGTERM");
		await eventually(() => expect(server.output).toContain("sleeping"));
		// A repetition within the first second counts as the same signal.
		await eventually(() => {
			server.signal("SIGTERM");
			expect(server.output).toContain("Second SIGTERM");
		});
		expect(await ended).toBe(1);
		expect(server.output).toContain("not saved: keeper/one");
	});

	it("leaves the exit to the host program when that has handlers of its own", async () => {
		const { server, keeper } = await setUp("host-decides");
		await keeper.add(5);
		expect(await server.end("SIGTERM")).toBe(7);
		expect(server.output).toContain("host handles SIGTERM");
		await server.start();
		expect(await keeper.read()).toEqual({ count: 5, slept: 1 });
	});

	it("saves what is written before an uncaught exception ends the process with its error", async () => {
		const { server, keeper } = await setUp();
		await keeper.add(1);
		const gone = server.exited();
		await keeper.addLater(10);
		server.signal("SIGUSR2");
		expect(await gone).toBe(1);
		expect(server.output).toContain("a bug in a handler");
		await server.start();
		expect(await keeper.read()).toMatchObject({ count: 11 });
	});

	it("refuses a data directory that another process uses, naming both", async () => {
		const { server, keeper } = await setUp();
		await keeper.add(1);
		const second = new ServerProcess("../registry/stoppable-server.ts", [
			server.args[0]!,
			`${await freePort()}`,
			"",
		]);
		const refused = await second.start().catch((error: Error) => error.message);
		expect(refused).toContain(server.args[0]);
		expect(refused).toContain(`${server.pid}`);
		expect(await keeper.add(1)).toBe(2);
	});
});
