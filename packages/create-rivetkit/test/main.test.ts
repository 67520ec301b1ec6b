import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = join(import.meta.dirname, "..", "src", "main.ts");
let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "create-rivetkit-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Ran {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs the command. `queue` is the template that has no part in the examples, so it is whole in the sources. */
function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
	const { npm_config_user_agent: _, ...inherited } = process.env;
	const options = { cwd: folder, env: { ...inherited, ...env } };
	return new Promise((resolve) => {
		execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
			resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
		});
	});
}

describe("create-rivetkit", () => {
	it("writes a project without a question, and says how to go on", async () => {
		const agent = { npm_config_user_agent: "pnpm/10.0.0 npm/? node/v24.0.0" };
		const ran = await run(["quiet", "-t", "queue", "--no-install"], agent);
		expect(ran).toEqual({
			code: 0,
			stdout:
				"Wrote quiet to quiet\n\nNext:\n  cd quiet\n  pnpm install\n  pnpm start\n  pnpm test\n",
			stderr: "",
		});
		const manifest = JSON.parse(await readFile(join(folder, "quiet", "package.json"), "utf8"));
		expect(manifest.name).toBe("quiet");
	});

	it("installs with the package manager that was named, and says when that does not work", async () => {
		const bin = join(folder, "bin");
		await mkdir(bin);
		const script = '#!/bin/sh\n[ "$PWD" = "$FAILS_IN" ] && exit 3\necho "$PWD $@" > installed\n';
		await writeFile(join(bin, "yarn"), script);
		await chmod(join(bin, "yarn"), 0o755);
		const env = { PATH: `${bin}${delimiter}${process.env.PATH}` };
		const asked = ["-t", "queue", "--pm", "yarn", "--yes"];
		expect((await run(["installed", ...asked], env)).stdout).toContain(
			"  cd installed\n  yarn start\n",
		);
		const noted = await readFile(join(folder, "installed", "installed"), "utf8");
		expect(noted).toBe(`${join(folder, "installed")} install\n`);
		const failing = join(folder, "failing");
		const failed = await run(["failing", ...asked], { ...env, FAILS_IN: failing });
		expect([failed.code, failed.stderr]).toEqual([
			1,
			`error: yarn install did not work (it ended with 3). The project is in ${failing}: install there by hand\n`,
		]);
	});

	it("helps, and tells its version", async () => {
		const help = await run(["--help"]);
		expect(help.code).toBe(0);
		for (const word of ["--template", "--pm", "--no-install", "--yes", "hello-world", "workflow"]) {
			expect(help.stdout).toContain(word);
		}
		expect((await run(["-v"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
	});

	it.each([
		[["a", "--template", "vue", "--yes"], 'There is no template "vue"; there are hello-world, '],
		[["Bad Name", "--yes", "--no-install"], '"Bad Name" cannot be the name of a package: '],
		[["a", "--pm", "cargo"], "--pm cargo: it is one of npm, pnpm, yarn, bun"],
		[["a", "b"], "Give one folder, not 2: a, b"],
		[["--teplate", "chat"], "Unknown option '--teplate'"],
		[["a"], "There is no terminal to ask in: give a folder, --template, and --install or"],
	])("refuses %j in one line", async (args, message) => {
		const before = await readdir(folder);
		const { code, stdout, stderr } = await run(args);
		expect([code, stdout]).toEqual([1, ""]);
		expect(stderr).toMatch(/^error: [^\n]+\n$/);
		expect(stderr).toContain(`error: ${message}`);
		expect(await readdir(folder)).toEqual(before);
	});
});

describe("in a terminal", () => {
	/** Answers what is asked, as somebody at a keyboard; `script` gives the process a terminal. */
	function answer(keys: readonly (readonly [asked: string, typed: string])[]): Promise<string> {
		const command = `stty cols 80 rows 24; ${process.execPath} ${main}`;
		const child = spawn("script", ["-qec", command, "/dev/null"], {
			cwd: folder,
			env: { ...process.env, TERM: "xterm", CI: "" },
		});
		const left = [...keys];
		let output = "";
		return new Promise((resolve, reject) => {
			child.once("error", reject);
			child.once("close", () => resolve(output));
			child.stdout.on("data", (chunk: Buffer) => {
				output += chunk.toString();
				const next = left[0];
				if (next === undefined || !output.includes(next[0])) return;
				left.shift();
				output = output.slice(output.indexOf(next[0]) + next[0].length);
				child.stdin.write(next[1]);
			});
		});
	}
	const DOWN = "\x1b[B";

	it("asks for what is missing", async () => {
		const output = await answer([
			["Where?", "asked\r"],
			["What?", `${DOWN.repeat(4)}\r`],
			["Which package manager?", `${DOWN}\r`],
			["Install the packages now?", "n"],
		]);
		expect(output).toContain("Wrote asked to asked");
		const readme = await readFile(join(folder, "asked", "README.md"), "utf8");
		expect(readme).toContain("takes jobs from a queue");
		expect(readme).toContain("pnpm start");
	});

	it("writes nothing when the user gives up", async () => {
		const before = await readdir(folder);
		const output = await answer([
			["Where?", "given-up\r"],
			["What?", "\x03"],
		]);
		expect(output).toContain("Nothing was written.");
		expect(await readdir(folder)).toEqual(before);
	});
});
