import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, openPostgresStore, openSqliteStore } from "@rivetkit/engine";
import { type BackendUnderTest, testActorBackend } from "rivetkit/driver-test-suite";
import { describe, expect, it } from "vitest";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { embeddedSubject } from "./support/embedded-subject.ts";
import { KvDouble } from "./support/kv-double.ts";
import { runnerSubject } from "./support/runner-subject.ts";

testActorBackend(
	{ describe, it, expect },
	{
		name: "memory",
		outlivesCrashes: false,
		open: async () => embeddedSubject(createMemoryStore()),
	},
);

const folders: string[] = [];

async function openSqlite(directory: string): Promise<BackendUnderTest> {
	const store = await openSqliteStore({ directory });
	return {
		...embeddedSubject(store),
		reopen() {
			// The files as they are now, without the end of a close.
			const copy = newFolder();
			cpSync(directory, copy, { recursive: true });
			return openSqlite(copy);
		},
	};
}

function newFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "rivetkit-backend-"));
	folders.push(folder);
	return folder;
}

testActorBackend(
	{ describe, it, expect },
	{
		name: "SQLite",
		outlivesCrashes: true,
		async open() {
			const subject = await openSqlite(newFolder());
			return {
				...subject,
				async close() {
					await subject.close();
					for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
				},
			};
		},
	},
);

async function openPostgres(url: string): Promise<BackendUnderTest> {
	const store = await openPostgresStore({ url });
	return { ...embeddedSubject(store), reopen: () => openPostgres(url) };
}

testActorBackend(
	{ describe, it, expect },
	{
		name: "PostgreSQL",
		outlivesCrashes: true,
		open: async () => openPostgres(await emptiedDatabase()),
	},
);

for (const [version, deletesRanges] of [
	[7, true],
	[5, false],
] as const) {
	testActorBackend(
		{ describe, it, expect },
		{
			name: `runner protocol ${version}`,
			outlivesCrashes: true,
			open: async () => runnerSubject(new KvDouble(deletesRanges)),
		},
	);
}
