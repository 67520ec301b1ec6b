import { expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** What looks like a promise and throws when somebody waits for it. */
const throwing = () => ({
	// biome-ignore lint/suspicious/noThenProperty: that is what the test is about.
	then() {
		throw new Error("then threw");
	},
});

// An unhandled rejection fails the run by itself.
it("an action whose result throws when it is awaited fails alone, also after validation that waits", async () => {
	const subject = actor({
		actions: {
			plain: () => throwing(),
			validated: {
				input: z.string().refine(async () => true),
				handler: () => throwing(),
			},
			fine: () => "fine",
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const actorId = await runtime.actorId("subject");
	for (const name of ["plain", "validated"]) {
		const answer = await wireAction(runtime, actorId, name, ["x"]);
		expect(codeOf(answer)).toBe("rivetkit.internal_error");
	}
	await using socket = await WireSocket.connect(`${runtime.url}/gateway/${actorId}/connect`);
	expect(codeOf(await socket.call(1, "validated", "x"))).toBe("rivetkit.internal_error");
	expect(await socket.call(2, "fine")).toMatchObject({ output: "fine" });
});

/** What throws whenever somebody looks at it. */
function shy(): object {
	const { proxy, revoke } = Proxy.revocable({}, {});
	revoke();
	return proxy;
}

it("an action or a wake that throws what cannot be looked at fails alone", async () => {
	let wakes = 0;
	const subject = actor({
		onWake: () => {
			if (++wakes === 1) throw shy();
		},
		actions: {
			later: async () => {
				await null;
				throw shy();
			},
			fine: () => "fine",
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const actors = runtime.localClient() as unknown as {
		subject: { getOrCreate(): { later(): Promise<unknown>; fine(): Promise<unknown> } };
	};
	const handle = actors.subject.getOrCreate();
	await expect(handle.fine()).rejects.toMatchObject({ code: "internal_error" });
	await expect(handle.later()).rejects.toMatchObject({ code: "internal_error" });
	expect(await handle.fine()).toBe("fine");
});
