// Packs every published package and checks the tarballs as their users will meet them: publint for the
// manifest, arethetypeswrong for how TypeScript resolves each entry, and what must be in the files.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { type Check, runChecks } from "./lib/checks.ts";
import { entriesOf } from "./lib/entries.ts";
import { type PackedPackage, packPackages } from "./lib/pack.ts";
import { repoRoot } from "./lib/workspaces.ts";

const run = promisify(execFile);
const ALWAYS_SHIPPED = ["LICENSE", "README.md", "package.json", "src/index.ts"];
const NEVER_SHIPPED = /^(test|scripts|node_modules)\/|\.tsbuildinfo$|\.test\.ts$/;

function checksOf(packed: PackedPackage): Check[] {
	const { name } = packed.workspace.manifest;
	return [
		{ title: `${name}: ships what it promises`, run: () => checkFiles(packed) },
		{ title: `${name}: publint`, run: () => checkManifest(packed) },
		{ title: `${name}: types resolve (esm-only)`, run: () => checkTypes(packed) },
	];
}

function checkFiles({ workspace, files }: PackedPackage): void {
	const expected = [
		...ALWAYS_SHIPPED,
		...Object.keys(entriesOf(workspace)).flatMap((entry) =>
			[".js", ".d.ts"].map((extension) => `dist/${entry}${extension}`),
		),
	];
	const missing = expected.filter((file) => !files.includes(file));
	const surplus = files.filter((file) => NEVER_SHIPPED.test(file));
	if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
	for (const map of [".js.map", ".d.ts.map"]) {
		if (!files.some((file) => file.endsWith(map))) throw new Error(`not one ${map} file`);
	}
	if (surplus.length > 0) throw new Error(`not for users: ${surplus.join(", ")}`);
}

async function checkManifest({ workspace, tarball }: PackedPackage): Promise<void> {
	const content = readFileSync(tarball);
	const { messages, pkg } = await publint({
		strict: true,
		pack: {
			tarball: content.buffer.slice(
				content.byteOffset,
				content.byteOffset + content.byteLength,
			) as ArrayBuffer,
		},
	});
	const problems = messages.map((message) => formatMessage(message, pkg, { color: false }));
	if (problems.length > 0) throw new Error(`${workspace.path}:\n${problems.join("\n")}`);
}

async function checkTypes({ tarball }: PackedPackage): Promise<void> {
	try {
		await run("attw", [tarball, "--profile", "esm-only", "--no-color", "--no-emoji"], {
			cwd: repoRoot,
		});
	} catch (error) {
		throw new Error((error as { stdout?: string }).stdout || (error as Error).message);
	}
}

const folder = mkdtempSync(join(tmpdir(), "rivetkit-pack-"));
try {
	const packed = await packPackages(folder);
	process.exitCode = await runChecks(packed.flatMap(checksOf));
} finally {
	rmSync(folder, { recursive: true, force: true });
}
