// What only happens on a terminal: questions and colours.
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { printable, type Streams, wantsColours } from "../../src/cli/output/terminal.ts";
import { runProgram } from "../../src/cli/program.ts";
import { TestRuntime } from "../support/test-runtime.ts";

const counter = actor({ state: { count: 0 }, actions: {} });

let runtime: TestRuntime;

beforeAll(async () => {
	runtime = await TestRuntime.start({ counter });
});

afterAll(() => runtime[Symbol.asyncDispose]());

/** Runs the command where somebody sits, who types this. */
async function typed(argv: readonly string[], input: string) {
	const terminal = () => Object.assign(new PassThrough(), { isTTY: true });
	const [stdin, stdout, stderr] = [terminal(), terminal(), terminal()];
	stdin.end(input);
	const env = { RIVET_ENDPOINT: runtime.url, TERM: "xterm" };
	const code = await runProgram(argv, { stdin, stdout, stderr, env } as unknown as Streams);
	const text = (stream: PassThrough) => String(stream.read() ?? "");
	return { code, stdout: text(stdout), stderr: text(stderr) };
}

describe("destroy", () => {
	it.each(["\n", "n\n", "no\n", "yep\n"])("asks, and does nothing after %j", async (answer) => {
		const id = await runtime.actorId("counter", "kept");
		const outcome = await typed(["actors", "destroy", "counter/kept"], answer);
		expect(outcome.stderr).toContain("Destroy counter/kept with all its data? [y/N] ");
		expect(outcome.stderr).toContain("Nothing was destroyed.");
		expect(outcome.code).toBe(1);
		expect(await runtime.store.actorById(id)).toMatchObject({ destroyTs: null });
	});

	it.each(["y\n", "YES\n"])("destroys after %j", async (answer) => {
		const id = await runtime.actorId("counter", "doomed");
		const outcome = await typed(["actors", "destroy", "counter/doomed"], answer);
		expect(outcome.stderr).toContain(`counter/doomed (${id}) is destroyed.`);
		expect(outcome.code).toBe(0);
		expect((await runtime.store.actorById(id))?.destroyTs).toBeTypeOf("number");
	});
});

it("a file is kept off the terminal", async () => {
	await runtime.actorId("counter", "file");
	const { code, stdout, stderr } = await typed(["actors", "export", "counter/file", "-o", "-"], "");
	expect([code, stdout]).toEqual([1, ""]);
	expect(stderr).toContain("--output FILE keeps it off the terminal");
});

it("colours are for terminals", async () => {
	await runtime.actorId("counter", "colours");
	const { stdout } = await typed(["actors", "get", "counter/colours"], "");
	expect(stdout).toContain("\u001b[1mcounter/colours\u001b[22m");
});

it.each([
	[true, {}, true],
	[false, {}, false],
	[undefined, {}, false],
	[true, { NO_COLOR: "1" }, false],
	[true, { NO_COLOR: "" }, true],
	[true, { TERM: "dumb" }, false],
	[false, { FORCE_COLOR: "1" }, true],
	[false, { FORCE_COLOR: "" }, true],
	[true, { FORCE_COLOR: "0" }, false],
	[false, { FORCE_COLOR: "1", NO_COLOR: "1" }, true],
])("terminal %s with %j has colours: %s", (isTTY, env, expected) => {
	expect(wantsColours({ ...(isTTY === undefined ? {} : { isTTY }) }, env)).toBe(expected);
});

it("text of others cannot move the cursor", () => {
	expect(printable("a\u001b[2J\r\n\u009b\u202eé😀")).toBe("a\\x1b[2J\\x0d\\x0a\\x9b\\u{202e}é😀");
});
