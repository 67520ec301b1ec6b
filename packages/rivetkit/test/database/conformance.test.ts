import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { cases, type Database } from "./conformance/suite.ts";
import { contentOf } from "./support/content.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

// What the suite says, in the actions of an actor on this runtime's engine. And whatever it did to the
// database, the pages in the store are that database: without its working file it is the same.
it.each(cases)("$name", async ({ run }) => {
	const subject = actor({
		db: db(),
		actions: {
			run: (c) => run(c.db as Database),
			content: (c) => contentOf(c.db),
			nap: (c) => c.sleep(),
		},
	});
	await using directory = await temporaryDirectory();
	await using runtime = await TestRuntime.start(
		{ subject },
		{ exposeErrors: true, dataDirectory: directory.path, maxOutgoingMessageSize: 2 ** 24 },
	);
	const id = await runtime.actorId("subject");
	const call = async (name: string) => (await runtime.action(id, name)).json();
	expect(await call("run")).toEqual({ output: null });
	const content = await call("content");
	await call("nap");
	await expect.poll(() => runtime.embedded.host.liveActorIds).toEqual([]);
	rmSync(join(directory.path, "databases"), { recursive: true });
	expect(await call("content")).toEqual(content);
	expect(content.output.integrity).toEqual(["ok"]);
});
