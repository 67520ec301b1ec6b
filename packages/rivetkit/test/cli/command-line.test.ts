// What all commands have in common: help, options, exit codes, JSON, colours.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "./support/run-cli.ts";
import { misused, serveActors } from "./support/served-actors.ts";

// They start processes.

const served = serveActors();
const { cli, spawned } = served;

describe("the command line", () => {
	it("explains itself", async () => {
		const [general, one, version] = await Promise.all([
			runCli([]),
			cli(["actors", "call", "--help"]),
			cli(["--version"]),
		]);
		expect(general.code).toBe(0);
		for (const verb of ["list", "get", "call", "state", "destroy", "export", "import"]) {
			expect(general.stdout).toContain(`  actors ${verb} `);
		}
		expect(one.stdout).toContain("Usage: rivetkit actors call ACTOR ACTION [ARGUMENT…]");
		expect(one.stdout).toMatch(/--create +make the actor if there is none/);
		expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
	});

	it.each([
		[["actor", "list"], "There is no command 'actor list'; did you mean `rivetkit actors list`?"],
		[["actors", "lst"], "There is no command 'actors lst'; did you mean `rivetkit actors list`?"],
		[["actors"], "What about the actors?"],
		[["--what"], "Unknown option '--what'"],
		[["actors", "get"], "An argument is missing; the form is: rivetkit actors get ACTOR"],
		[["actors", "get", "a/b", "c"], "Unexpected argument 'c'"],
		[["actors", "list", "--nmae", "x"], "Unknown option '--nmae'"],
		[
			["actors", "export", "a/b", "--out", "x"],
			"Unknown option '--out'; the form is: rivetkit actors export ACTOR [--output FILE] [--force] (",
		],
		[
			["actors", "list", "--limit", "0"],
			"--limit must be a whole number from 1 to 10000, got '0'.",
		],
		[["actors", "list", "--status", "up"], "--status must be one of awake, sleeping"],
		[["actors", "get", "counter"], "'counter' is not the id of an actor"],
		[["actors", "get", ""], "Which actor? Its name is empty; give NAME/KEY or an id."],
		[["actors", "get", "/a"], "'/a' has no name before the slash; write NAME/a."],
		[
			["actors", "get", `${"n".repeat(65)}/a`],
			`'${"n".repeat(65)}/a' names no actor: an actor name has 1 to 64 characters`,
		],
		[
			["actors", "list", "--endpoint", "localhost:6420"],
			"The address of the server cannot be used",
		],
	])("%j is refused with exit code 2", async (args, message) => {
		expect(await cli(args)).toEqual(misused(message));
	});

	it("prints JSON for each verb with --json, and errors as JSON on the other end", async () => {
		await served.runtime.actorId("counter", "json");
		const file = join(served.folder, "json.rka");
		const done = [
			["list", "counter"],
			["get", "counter/json"],
			["call", "counter/json", "add", "1"],
			["state", "counter/json"],
			["state", "counter/json", "--set", '{"count":5}'],
			["export", "counter/json", "--output", file],
			["import", file, "--as", "counter/json copy"],
			["destroy", "counter/json copy", "--yes"],
		];
		for (const args of done) {
			const { code, stdout, stderr } = await cli(["actors", ...args, "--json"]);
			expect([args[0], code, stderr]).toEqual([args[0], 0, ""]);
			expect([args[0], JSON.parse(stdout)]).toEqual([args[0], expect.anything()]);
		}
		const none = "counter/none";
		const refused = [
			["get", none],
			["call", none, "add", "1"],
			["state", none],
			["state", none, "--set", "{}"],
			["tail", none],
			["export", none, "--output", join(served.folder, "none")],
			["import", join(served.folder, "none")],
			["destroy", none, "--yes"],
			["list", "nobody"],
		];
		for (const args of refused) {
			const { code, stdout, stderr } = await cli(["actors", ...args, "--json"]);
			expect([args[0], code, stdout]).toEqual([args[0], 1, ""]);
			expect([args[0], JSON.parse(stderr)]).toEqual([
				args[0],
				{ error: expect.objectContaining({ message: expect.any(String) }) },
			]);
		}
	});

	it("ends its process with that code", async () => {
		expect(await spawned(["actors", "get"])).toEqual(misused("An argument is missing"));
	});

	it("has colours only where they are seen, or asked for", async () => {
		await served.runtime.actorId("counter", "colours");
		const args = ["actors", "get", "counter/colours"];
		const [plain, forced, both] = await Promise.all([
			spawned(args),
			spawned(args, { env: { FORCE_COLOR: "1" } }),
			spawned(args, { env: { NO_COLOR: "1" } }),
		]);
		expect(plain.stdout).not.toContain("\u001b");
		expect(both.stdout).not.toContain("\u001b");
		expect(forced.stdout).toContain("\u001b[1mcounter/colours\u001b[22m");
	});
});
