import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { pino } from "pino";
import * as log from "rivetkit/log";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BoundLogger } from "../../src/log/bound-logger.ts";
import { formatLogfmt } from "../../src/log/logfmt.ts";
import type { Logger } from "../../src/log/logger.ts";

afterEach(() => {
	vi.unstubAllEnvs();
	log.configureDefaultLogger();
});

/** A pino logger that keeps its lines. */
function collecting(level = "trace"): { logger: Logger; lines: Record<string, unknown>[] } {
	const lines: Record<string, unknown>[] = [];
	const logger = pino({ level, base: null }, { write: (line) => lines.push(JSON.parse(line)) });
	return { logger, lines };
}

describe("rivetkit/log (api 19)", () => {
	it("exports what the contract lists", () => {
		expect(Object.keys(log).sort()).toEqual([
			"LogLevelSchema",
			"configureBaseLogger",
			"configureDefaultLogger",
			"getBaseLogger",
			"getIncludeTarget",
			"getLogger",
			"getPinoLevel",
		]);
	});

	it("the level is the argument, else the configured one, else the environment's, else warn", () => {
		expect(log.getPinoLevel()).toBe("warn");
		vi.stubEnv("LOG_LEVEL", "error");
		expect(log.getPinoLevel()).toBe("error");
		vi.stubEnv("RIVET_LOG_LEVEL", "DEBUG");
		expect(log.getPinoLevel()).toBe("debug");
		log.configureDefaultLogger("fatal");
		expect(log.getPinoLevel()).toBe("fatal");
		expect(log.getBaseLogger().level).toBe("fatal");
		expect(log.getPinoLevel("trace")).toBe("trace");
	});

	it("a level in the environment that is none means info", () => {
		vi.stubEnv("RIVET_LOG_LEVEL", "loud");
		expect(log.getPinoLevel()).toBe("info");
	});

	it("a level in the environment that is none is told once, with its variable and what there is", async () => {
		const script = `import { configureDefaultLogger, getLogger } from "rivetkit/log";
			getLogger("gateway").info("shown");
			getLogger("gateway").debug("not shown");
			configureDefaultLogger("warn");
			getLogger("gateway").warn("configured");`;
		const { stdout, stderr } = await run(script, { RIVET_LOG_LEVEL: "loud" });
		expect(stderr).toBe("");
		const lines = stdout.trim().split("\n");
		expect(lines).toHaveLength(3);
		expect(lines[0]).toContain("level=WARN");
		expect(lines[0]).toContain("RIVET_LOG_LEVEL: expected one of");
		expect(lines[0]).toContain("loud");
		expect(lines[1]).toContain("shown");
		expect(lines[2]).toContain("configured");
	});

	it("knows the seven levels", () => {
		expect(log.LogLevelSchema.options).toEqual([
			"trace",
			"debug",
			"info",
			"warn",
			"error",
			"fatal",
			"silent",
		]);
	});

	it("loggers made before the application's own is configured write to it", () => {
		const early = log.getLogger("test-early");
		const { logger, lines } = collecting();
		log.configureBaseLogger(logger);
		early.info({ n: 1 }, "hello");
		expect(lines).toEqual([expect.objectContaining({ level: 30, n: 1, msg: "hello" })]);
		expect(log.getBaseLogger()).toBe(logger);
	});

	it("writes logfmt to stdout, and nothing else", async () => {
		const { stdout, stderr } = await run(
			`import { getLogger } from "rivetkit/log";
			const log = getLogger("gateway");
			log.info("not shown");
			log.warn({ actor: "room", key: ["a", "b"], n: 5, err: new TypeError("bad one") }, "it failed");
			log.child({ connId: "c 1" }).error("no %s", "luck");`,
			{ RIVET_LOG_LEVEL: "", LOG_LEVEL: "" },
		);
		expect(stderr).toBe("");
		const lines = stdout.trimEnd().split("\n");
		expect(lines).toHaveLength(2);
		expect(lines[0]).toMatch(
			/^level=WARN msg="it failed" error="TypeError: bad one" error\.stack="TypeError: bad one\\n .*" actor=room key="\[\\"a\\",\\"b\\"\]" n=5$/,
		);
		expect(lines[1]).toBe('level=ERROR msg="no luck" connId="c 1"');
	});

	it("leaves out the constants that come with a DOMException", async () => {
		const { stdout } = await run(
			`import { getLogger } from "rivetkit/log";
			const err = new DOMException("went away", "AbortError");
			getLogger("gateway").warn({ err }, "it failed");
			getLogger("gateway").warn({ error: err }, "it failed");`,
			{},
		);
		const [first, second] = stdout.trimEnd().split("\n");
		expect(first).toMatch(/error="DOMException: went away" .*error\.name=AbortError/);
		expect(first).not.toContain("_ERR=");
		expect(second).toBe(first);
	});

	it("says what a cause says once", async () => {
		const { stdout } = await run(
			`import { getLogger } from "rivetkit/log";
		const cause = new Error("no luck", { cause: new Error("the root") });
		getLogger("gateway").warn({ err: new Error("all failed: Error: no luck", { cause }) }, "it failed");`,
			{},
		);
		expect(stdout).toContain('error="Error: all failed: Error: no luck: the root"');
	});

	it("adds time and target when the environment asks for them", async () => {
		const { stdout } = await run(
			`import { getLogger } from "rivetkit/log"; getLogger("gateway").info("up");`,
			{ RIVET_LOG_LEVEL: "info", RIVET_LOG_TIMESTAMP: "1", RIVET_LOG_TARGET: "1" },
		);
		expect(stdout).toMatch(/^ts=\d{4}-\d\d-\d\dT[\d:.]+Z level=INFO target=gateway msg=up\n$/);
	});
});

describe("logfmt", () => {
	it("quotes what could be taken for something else", () => {
		const line = formatLogfmt(
			{
				level: 20,
				msg: "plain",
				empty: "",
				space: "a b",
				equals: "a=b",
				quote: 'a"b',
				newline: "a\nb",
				null: null,
				yes: true,
				"odd name": 1,
				nested: { a: [1] },
				missing: undefined,
			},
			false,
		);
		expect(line).toBe(
			'level=DEBUG msg=plain empty="" space="a b" equals="a=b" quote="a\\"b" newline="a\\nb" null=null yes=true "odd name"=1 nested="{\\"a\\":[1]}"',
		);
	});

	it("keeps every record on one line, with every value readable again", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const line = formatLogfmt({ level: 30, msg: text }, false);
				expect(line).not.toMatch(/[\n\r]/);
				const value = line.slice("level=INFO msg=".length);
				expect(value.startsWith('"') ? JSON.parse(value) : value).toBe(text);
			}),
		);
	});
});

describe("bound loggers", () => {
	it("make their pino child on the first line that is written", () => {
		const { logger, lines } = collecting("warn");
		const child = vi.spyOn(logger, "child");
		const bound = new BoundLogger(() => logger, { actor: "room", actorId: "a1" });
		bound.debug("nothing");
		bound.info({ n: 1 }, "nothing");
		expect(bound.isLevelEnabled("info")).toBe(false);
		expect(child).not.toHaveBeenCalled();
		bound.warn("first");
		bound.error("second");
		expect(child).toHaveBeenCalledTimes(1);
		expect(lines).toEqual([
			expect.objectContaining({ actor: "room", actorId: "a1", msg: "first" }),
			expect.objectContaining({ actor: "room", actorId: "a1", msg: "second" }),
		]);
	});

	it("children have the bindings of their parents", () => {
		const { logger, lines } = collecting();
		new BoundLogger(() => logger, { a: 1 }).child({ b: 2 }).child({ c: 3 }).info("deep");
		expect(lines).toEqual([expect.objectContaining({ a: 1, b: 2, c: 3, msg: "deep" })]);
	});

	it("a level that is set counts for this logger and its children only", () => {
		const { logger, lines } = collecting("warn");
		const bound = new BoundLogger(() => logger, { a: 1 });
		bound.level = "debug";
		expect(bound.level).toBe("debug");
		bound.debug("mine");
		bound.child({ b: 2 }).debug("my child's");
		new BoundLogger(() => logger, {}).debug("another's");
		expect(lines.map(({ msg }) => msg)).toEqual(["mine", "my child's"]);
	});

	it("follow the base logger when it is replaced, with the level that was set", () => {
		const [first, second] = [collecting("warn"), collecting("warn")];
		let current = first.logger;
		const bound = new BoundLogger(() => current, { a: 1 });
		bound.level = "info";
		bound.info("to the first");
		current = second.logger;
		bound.info("to the second");
		expect(first.lines.map(({ msg }) => msg)).toEqual(["to the first"]);
		expect(second.lines).toEqual([expect.objectContaining({ a: 1, msg: "to the second" })]);
	});

	it("write the line, without the value, when a value of user code cannot be serialized", () => {
		const hostile = Object.defineProperty(new Error("x"), "message", {
			get() {
				throw new Error("the getter threw");
			},
		});
		const { proxy, revoke } = Proxy.revocable({}, {});
		revoke();
		const { logger, lines } = collecting();
		const bound = new BoundLogger(() => logger, {});
		bound.error({ err: hostile, actorId: "a1" }, "internal error");
		bound.error({ err: proxy }, "internal error");
		bound.error(proxy, "the fields themselves");
		expect(lines.map(({ msg }) => msg)).toEqual([
			"internal error",
			"internal error",
			"the fields themselves",
		]);
		expect(lines[0]).toMatchObject({ actorId: "a1", logObstacle: "Error: the getter threw" });
	});

	it("methods may be taken off the logger", () => {
		const { logger, lines } = collecting();
		const { info } = new BoundLogger(() => logger, { a: 1 });
		info("alone");
		expect(lines).toHaveLength(1);
	});
});

/** Runs a module in a process of its own, as its stdout is what counts. */
async function run(
	code: string,
	env: Record<string, string>,
): Promise<{ stdout: string; stderr: string }> {
	const args = ["--conditions=@rivetkit/source", "--input-type=module", "--eval", code];
	return promisify(execFile)(process.execPath, args, {
		cwd: fileURLToPath(new URL("../..", import.meta.url)),
		env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
	});
}
