import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";

it("a raw socket whose client does not take what is sent is closed (W-CONN-6)", async () => {
	let sent = 0;
	const flood = actor({
		options: { maxConnectionBufferSize: 100_000 },
		onWebSocket: (_c, socket) => {
			while (socket.readyState === 1 && sent < 100) {
				socket.send(new Uint8Array(10_000));
				sent++;
			}
		},
		actions: {},
	});
	await using runtime = await TestRuntime.start({ flood });
	const actorId = await runtime.actorId("flood");
	const url = `${runtime.url.replace("http", "ws")}/gateway/${actorId}/websocket`;
	const socket = new WebSocket(url);
	const closed = await new Promise<CloseEvent>((resolve) => {
		socket.onclose = resolve;
	});
	expect(closed).toMatchObject({ code: 1011, reason: "connection.buffer_full" });
	expect(sent).toBeLessThanOrEqual(11);
	await eventually(() => {
		const [line] = runtime.log.filter(({ level }) => level === "warn");
		expect(line?.fields).toMatchObject({ limit: 100_000 });
		expect(line?.message).toContain("options.maxConnectionBufferSize");
	});
});
