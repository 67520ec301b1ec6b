// Makes a project from each template of create-rivetkit, from the packed tarballs as its users would, and
// runs what the project says of itself: its tests and its type check. One install serves all projects.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Check, runChecks } from "./lib/checks.ts";
import { packPackages } from "./lib/pack.ts";
import { TEMPLATES } from "./lib/templates.ts";
import { repoRoot } from "./lib/workspaces.ts";

const run = promisify(execFile);
const env = {
	...process.env,
	PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
	NEXT_TELEMETRY_DISABLED: "1",
};

async function npm(cwd: string, ...rest: string[]): Promise<void> {
	try {
		await run("npm", [...rest, "--loglevel=error"], { cwd, env, timeout: 300_000 });
	} catch (error) {
		const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
		throw new Error(`npm ${rest.join(" ")}\n${stdout}${stderr}`);
	}
}

const folder = mkdtempSync(join(tmpdir(), "rivetkit-templates-"));
try {
	const packed = await packPackages(join(folder, "tarballs"));
	const tarballs = Object.fromEntries(
		packed.map(({ workspace, tarball }) => [workspace.manifest.name, `file:${tarball}`]),
	);
	const tool = join(folder, "tool");
	mkdirSync(tool);
	writeFileSync(join(tool, "package.json"), '{ "private": true }');
	const install = ["install", "--prefer-offline", "--no-audit", "--no-fund"];
	await npm(tool, ...install, tarballs["create-rivetkit"]!);
	const create = join(tool, "node_modules", ".bin", "create-rivetkit");

	const names = readdirSync(join(repoRoot, "packages", "create-rivetkit", TEMPLATES));
	const all = join(folder, "projects");
	mkdirSync(all);
	const projectOf = (name: string) => join(all, `my-${name}`);
	const checks: Check[] = names.map((name) => ({
		title: `${name}: is written, and not over what is there`,
		run: async () => {
			const asked = ["--template", name, "--no-install"];
			await run(create, [projectOf(name), ...asked], { cwd: all, env });
			for (const file of [
				"package.json",
				"tsconfig.json",
				"README.md",
				".gitignore",
				"src",
				"test",
			]) {
				if (!existsSync(join(projectOf(name), file))) throw new Error(`${file} is missing`);
			}
			const again = await run(create, [projectOf(name), ...asked], { cwd: all, env }).then(
				() => "nothing, and went on",
				({ stderr }: { stderr: string }) => stderr,
			);
			if (!/^error: \S+ is not empty \(/.test(again)) throw new Error(`it printed ${again}`);
		},
	}));
	checks.push({
		title: "all of them install, with scripts blocked",
		run: async () => {
			const manifest = { private: true, workspaces: ["my-*"], dependencies: tarballs };
			writeFileSync(join(all, "package.json"), JSON.stringify(manifest));
			await npm(all, ...install, "--ignore-scripts");
		},
	});
	for (const name of names) {
		checks.push(
			{ title: `${name}: its tests pass`, run: () => npm(projectOf(name), "test") },
			{ title: `${name}: its types fit`, run: () => npm(projectOf(name), "run", "typecheck") },
		);
	}
	process.exitCode = await runChecks(checks);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
