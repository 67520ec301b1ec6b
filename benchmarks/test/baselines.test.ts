import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HttpConnection } from "../src/load/http-connection.ts";
import {
	actorIdOf,
	createActors,
	createRequest,
	incrementRequest,
	outputOf,
} from "../src/scenarios/actors.ts";
import { broadcast } from "../src/scenarios/broadcast.ts";
import { httpActions } from "../src/scenarios/http-actions.ts";
import { kvPairs } from "../src/scenarios/kv-pairs.ts";
import { queueMessages } from "../src/scenarios/queue-messages.ts";
import type { Scale } from "../src/scenarios/scenario.ts";
import { websocketActions } from "../src/scenarios/websocket-actions.ts";
import { ServerProcess } from "../src/server-process.ts";
import { subjects } from "../src/subjects.ts";

const scale: Scale = {
	sampleMs: 50,
	warmUpMs: 0,
	rounds: 1,
	idleActors: { published: 1, others: 1 },
};

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "bench-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(subjects.filter(({ name }) => name === "bare" || name === "grouped"))(
	"$title",
	(subject) => {
		test("counts every acknowledged increment once, over HTTP and WebSocket, and delivers every event", async () => {
			const server = await ServerProcess.start(subject, folder);
			try {
				for (const scenario of [
					httpActions(3),
					queueMessages(3),
					websocketActions(2, 8),
					broadcast(5, 10),
					kvPairs(7),
				]) {
					const prepared = await scenario.prepare(server, scale);
					const { value, details } = await prepared.sample(scale.sampleMs);
					expect(value).toBeGreaterThan(0);
					expect(details.cpuMicros).toBeGreaterThan(0);
					await prepared.verify();
					if (scenario.name === "kv-7") {
						// However long one call takes, a sample is more than one.
						expect((await prepared.sample(0)).value).toBeGreaterThan(0);
					}
					await prepared.close();
				}
			} finally {
				await server.stop();
			}
			expect(readdirSync(folder)).toEqual([]);
		});

		test("has one counter for a key", async () => {
			const server = await ServerProcess.start(subject, folder);
			try {
				const [first] = await createActors(server.port, "same-", 1);
				const http = await HttpConnection.open(server.port);
				expect(actorIdOf(await http.call(createRequest("same-0")))).toBe(first);
				expect(outputOf(await http.call(incrementRequest(first as string, 2)))).toBe(2);
				expect(outputOf(await http.call(incrementRequest(first as string, 3)))).toBe(5);
				http.close();
			} finally {
				await server.stop();
			}
		});
	},
);

test("a server that cannot start says why", async () => {
	const nowhere = { name: "bare", title: "nowhere", module: "./servers/nowhere.ts" } as const;
	await expect(ServerProcess.start(nowhere, folder)).rejects.toThrow(
		/^nowhere: ended with 1 at its start\n.*Cannot find module/s,
	);
});
