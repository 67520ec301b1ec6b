// `rivetkit actors export` and `import`, as processes against a server.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { failed, misused, serveActors } from "./support/served-actors.ts";

// They start processes.

const served = serveActors();
const { cli, json, spawned } = served;

describe("export and import", () => {
	it("carry an actor over by a file, by a pipe, and in place of another", async () => {
		const id = await served.runtime.actorId("holder", "trip/1");
		await served.runtime.embedded.host.stop(id, "sleep");
		expect(await spawned(["actors", "export", "holder/trip/1"])).toEqual({
			code: 0,
			stdout: "",
			stderr: expect.stringMatching(
				/^holder\/trip\/1 is exported to holder-trip-1\.rivetactor \(\d+ bytes\)\.\n$/,
			),
		});
		expect(served.runtime.embedded.host.liveActorIds).not.toContain(id);
		const file = join(served.folder, "holder-trip-1.rivetactor");
		expect((await stat(file)).mode & 0o077).toBe(0);
		const [again, forced, taken] = await Promise.all([
			spawned(["actors", "export", id]),
			json(["actors", "export", id, "-o", file, "--force"]),
			spawned(["actors", "import", file]),
		]);
		expect(again).toEqual(
			failed("holder-trip-1.rivetactor is there already; --force writes over it."),
		);
		expect(forced).toMatchObject({ actor: { id }, file, bytes: (await stat(file)).size });
		expect(taken.code).toBe(1);
		expect(taken.stderr).toMatch(
			/already exists.*; --as NAME\/KEY gives it another one, --replace /,
		);
		const copied = await json([
			"actors",
			"import",
			"holder-trip-1.rivetactor",
			"--as",
			"holder/copy",
		]);
		expect(copied).toMatchObject({ actor: { key: ["copy"], status: "sleeping" }, replaced: null });
		const state = (await cli(["actors", "state", "holder/copy"])).stdout;
		expect(state).toBe((await cli(["actors", "state", id])).stdout);
		const replaced = await spawned(["actors", "import", "-", "--replace"], {
			input: await readFile(file),
		});
		expect(replaced.stderr).toMatch(
			new RegExp(`^holder/trip/1 is imported as \\w{30}, in place of ${id}\\.\n$`),
		);
		expect((await cli(["actors", "state", "holder/trip/1"])).stdout).toBe(state);
		expect((await readdir(served.folder)).filter((name) => name.includes("partial"))).toEqual([]);
	});

	it("refuse what is no file of theirs, and leave nothing half done", async () => {
		await served.runtime.actorId("counter", "kept");
		await writeFile(join(served.folder, "foreign.bin"), "no actor");
		const [foreign, missing, form, place] = await Promise.all([
			spawned(["actors", "import", "foreign.bin", "--as", "counter/kept", "--replace"]),
			spawned(["actors", "import", "nowhere.bin"]),
			spawned(["actors", "import", "foreign.bin", "--as", "counter"]),
			spawned(["actors", "export", "counter/kept", "-o", "no/such/folder"]),
		]);
		expect(foreign).toEqual(failed("The file cannot be imported: it is no exported actor."));
		expect(missing).toEqual(failed("Cannot read nowhere.bin: there is no such file."));
		expect(form).toEqual(misused("'counter' has no key; write counter/KEY"));
		expect(place).toEqual(failed("Cannot write no/such/folder: ENOENT."));
		expect((await cli(["actors", "state", "counter/kept"])).code).toBe(0);
	});
});
