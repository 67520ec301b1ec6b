import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "tsdown";
import type { TestProject } from "vitest/node";
import { repoRoot } from "./lib/workspaces.ts";

/** What tests start in processes of its own, again and again. */
const PROGRAMS = [
	"packages/{engine,rivetkit}/src/cli/main.ts",
	"packages/engine/test/store/children/*.ts",
	"packages/rivetkit/test/{crash,database,registry}/*-server.ts",
	"packages/rivetkit/test/client/interop/own-server.ts",
	"packages/rivetkit/test/cluster/node-process.ts",
	"packages/rivetkit/test/split/*-host.ts",
];
const BUNDLES = join(repoRoot, "node_modules", ".cache", "test-programs");

/**
 * Vitest global set-up: bundles these programs. A server that loads a few files instead of hundreds of modules starts with
 * half of the processor time, and tests start, and mostly kill, some two hundred.
 */
export default async function setup(project: TestProject): Promise<void> {
	// Several projects ask for it.
	if (process.env.TEST_PROGRAMS !== undefined) return;
	project.onTestsRerun(bundle);
	await bundle();
	process.env.TEST_PROGRAMS = BUNDLES;
}

async function bundle(): Promise<void> {
	const files = globSync(PROGRAMS, { cwd: repoRoot });
	const next = `${BUNDLES}.next-${process.pid}`;
	try {
		await build({
			config: false,
			cwd: repoRoot,
			entry: Object.fromEntries(files.map((file) => [file.replace(/\.ts$/, ""), file])),
			outDir: next,
			tsconfig: join(repoRoot, "tsconfig.json"),
			format: "esm",
			platform: "node",
			target: false,
			dts: false,
			deps: { alwaysBundle: [/./], onlyBundle: false },
			inputOptions: { resolve: { conditionNames: ["@rivetkit/source", "node"] } },
			plugins: [{ name: "url-of-source", transform: withUrlOfSource }],
			report: false,
			logLevel: "error",
			failOnWarn: false,
		});
		const made = new Set(globSync("**/*.mjs", { cwd: next }));
		// Only what is new, and first what several share, whose names have a hash: another run may be starting them.
		for (const file of [...made].sort((a, b) => depthOf(a) - depthOf(b))) {
			const [from, to] = [join(next, file), join(BUNDLES, file)];
			if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue;
			mkdirSync(dirname(to), { recursive: true });
			renameSync(from, to);
		}
		for (const file of globSync("**/*.mjs", { cwd: BUNDLES })) {
			if (!made.has(file)) rmSync(join(BUNDLES, file), { force: true });
		}
	} finally {
		rmSync(next, { recursive: true, force: true });
	}
}

/** Programs stand where their sources do, what they share above them. */
function depthOf(file: string): number {
	return file.split("/").length;
}

/** What stands beside a source does not stand beside its bundle. */
function withUrlOfSource(code: string, file: string): string | undefined {
	if (!code.includes("import.meta.url")) return undefined;
	return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(file).href));
}
