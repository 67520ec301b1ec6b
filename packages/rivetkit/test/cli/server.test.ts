// How the command line finds its server, and gets in.
import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { counter, failed, serveActors } from "./support/served-actors.ts";

const { cli } = serveActors();

describe("the server", () => {
	it("that is not there, or is none of ours, is named", async () => {
		const other = createServer((_request, response) => response.writeHead(404).end("nginx"));
		await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
		const { port } = other.address() as { port: number };
		const nowhere = `http://127.0.0.1:${await freePort()}`;
		try {
			const [gone, foreign] = await Promise.all([
				cli(["actors", "list", "--endpoint", nowhere], { env: { RIVET_ENDPOINT: "" } }),
				cli(["actors", "list", "--endpoint", `http://127.0.0.1:${port}/x`]),
			]);
			expect(gone).toEqual(
				failed(
					`Cannot reach a RivetKit server at ${nowhere}/ (ECONNREFUSED); start it, or say where it is with --endpoint or RIVET_ENDPOINT.`,
				),
			);
			expect(foreign.stderr).toContain('is no RivetKit server (status 404, "nginx")');
		} finally {
			other.close();
		}
	});

	it("that wants tokens gets them from options, the environment or the address", async () => {
		const inspection = { token: () => "look", isOpen: () => false };
		await using guarded = await TestRuntime.start({ counter }, { inspection, token: "manage" });
		await guarded.actorId("counter", "a");
		const run = (args: string[], env: Record<string, string> = {}) =>
			cli(args, { env: { RIVET_ENDPOINT: guarded.url, ...env } });
		const [none, wrong, right, own, url] = await Promise.all([
			run(["actors", "state", "counter/a"]),
			run(["actors", "state", "counter/a", "--inspector-token", "nope"]),
			run(["actors", "state", "counter/a"], { RIVET_INSPECTOR_TOKEN: "look" }),
			// Whoever may read its store has the actor's own token.
			run(["actors", "state", "counter/a", "--token", "manage"]),
			run(["actors", "state", "counter/a"], {
				RIVET_ENDPOINT: guarded.url.replace("http://", "http://default:manage@"),
			}),
		]);
		const refusal = failed(
			"The inspector of this server needs a token, or has another one; give it with --inspector-token or RIVET_INSPECTOR_TOKEN, or that of the management API with --token or RIVET_TOKEN.",
		);
		expect(none).toEqual(refusal);
		expect(wrong).toEqual(refusal);
		for (const outcome of [right, own, url]) {
			expect([outcome.code, JSON.parse(outcome.stdout)]).toEqual([0, { count: 0 }]);
		}
		expect(await run(["actors", "destroy", "counter/a", "-y"])).toEqual(
			failed("This server needs a token, or has another one; give it with --token or RIVET_TOKEN."),
		);
		expect((await run(["actors", "destroy", "counter/a", "-y", "--token", "manage"])).code).toBe(0);
	});

	it("whose inspector lets nobody in makes no actor for a call that it would refuse", async () => {
		const inspection = { token: () => "look", isOpen: () => false };
		await using guarded = await TestRuntime.start({ counter }, { inspection, token: "manage" });
		await using closed = await TestRuntime.start({ counter }, { inspection: { enabled: false } });
		const call = async (url: string, key: string, ...args: string[]) => {
			const { code } = await cli(
				["actors", "call", `counter/${key}`, "read", "--create", ...args],
				{
					env: { RIVET_ENDPOINT: url },
				},
			);
			const listed = await cli(["actors", "list", "counter", "--json", "--endpoint", url]);
			const keys = JSON.parse(listed.stdout).actors.map((one: { key: string[] }) => one.key[0]);
			return [code, keys.includes(key)];
		};
		expect(await call(guarded.url, "nobody")).toEqual([1, false]);
		expect(await call(guarded.url, "wrong", "--inspector-token", "nope")).toEqual([1, false]);
		expect(await call(closed.url, "closed")).toEqual([1, false]);
		expect(await call(guarded.url, "right", "--inspector-token", "look")).toEqual([0, true]);
		expect(await call(guarded.url, "own", "--token", "manage")).toEqual([0, true]);
		await guarded.actorId("counter", "there");
		expect(await call(guarded.url, "there", "--inspector-token", "look")).toEqual([0, true]);
	});

	it("whose inspector is off is asked for nothing more", async () => {
		await using closed = await TestRuntime.start({ counter }, { inspection: { enabled: false } });
		await closed.actorId("counter", "a");
		const outcome = await cli(["actors", "state", "counter/a", "--endpoint", closed.url], {
			env: { RIVET_ENDPOINT: "" },
		});
		expect(outcome.code).toBe(1);
		expect(outcome.stderr).toContain("its inspector is switched off (RIVET_INSPECTOR_DISABLE)");
	});
});
