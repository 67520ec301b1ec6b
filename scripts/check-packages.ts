// Packs every published package and checks the tarballs as their users will meet them: publint for the
// manifest, arethetypeswrong for how TypeScript resolves each entry, and what must be in the files.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { type Check, runChecks } from "./lib/checks.ts";
import { entriesOf } from "./lib/entries.ts";
import { type PackedPackage, packPackages } from "./lib/pack.ts";
import { hasPage, PAGE_FOLDER } from "./lib/pages.ts";

const ALWAYS_SHIPPED = ["LICENSE", "README.md", "package.json", "src/index.ts"];
const NEVER_SHIPPED = /^(test|scripts|node_modules)\/|\.tsbuildinfo$|\.test\.ts$/;
/** Projects that the package writes, with tests of their own. */
const TEMPLATES = "dist/templates/";

/** How TypeScript resolves for programs that are no ES modules; the packages are. */
const NOT_ESM = ["node10", "node16-cjs"];

/** What a browser loads of a page before it shows anything, compressed as servers send it. */
const PAGE_KB_MAX = 180;
/** Fonts are compressed already, and the page is readable before they are there. */
const FONTS_KB_MAX = 100;

function checksOf(packed: PackedPackage): Check[] {
	const { name } = packed.workspace.manifest;
	return [
		{ title: `${name}: ships what it promises`, run: () => checkFiles(packed) },
		{ title: `${name}: publint`, run: () => checkManifest(packed) },
		{ title: `${name}: types resolve (esm-only)`, run: () => checkTypes(packed) },
		...(hasPage(packed.workspace)
			? [{ title: `${name}: the page is whole and small`, run: () => checkPage(packed) }]
			: []),
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
	const surplus = files.filter((file) => NEVER_SHIPPED.test(file) && !file.startsWith(TEMPLATES));
	if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
	for (const map of [".js.map", ".d.ts.map"]) {
		if (!files.some((file) => file.endsWith(map))) throw new Error(`not one ${map} file`);
	}
	if (surplus.length > 0) throw new Error(`not for users: ${surplus.join(", ")}`);
}

function checkPage({ workspace, files }: PackedPackage): void {
	const page = `dist/${PAGE_FOLDER}/`;
	const shipped = files.filter((file) => file.startsWith(page));
	if (!shipped.includes(`${page}index.html`)) throw new Error(`${page}index.html is missing`);
	const index = readFileSync(join(workspace.dir, page, "index.html"), "utf8");
	const loaded = [...index.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file]) => page + file);
	const missing = loaded.filter((file) => !shipped.includes(file));
	if (missing.length > 0) throw new Error(`index.html loads what is not there: ${missing}`);
	const compressed = (file: string) => gzipSync(readFileSync(join(workspace.dir, file))).byteLength;
	const kbOf = (some: readonly string[]) =>
		Math.ceil(some.map(compressed).reduce((sum, size) => sum + size, 0) / 1_000);
	const code = kbOf(shipped.filter((file) => /\.(html|js|css|svg)$/.test(file)));
	const fonts = kbOf(shipped.filter((file) => file.endsWith(".woff2")));
	console.log(
		`        ${code} kB gzip, limit ${PAGE_KB_MAX}; fonts ${fonts} kB, limit ${FONTS_KB_MAX}`,
	);
	if (code > PAGE_KB_MAX) throw new Error(`the page has ${code} kB gzip, over ${PAGE_KB_MAX}`);
	if (fonts > FONTS_KB_MAX) throw new Error(`its fonts have ${fonts} kB, over ${FONTS_KB_MAX}`);
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
	const analysis = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
	if (analysis.types === false) throw new Error("there are no types");
	const problems = analysis.problems.filter(
		(problem) => !("resolutionKind" in problem && NOT_ESM.includes(problem.resolutionKind)),
	);
	if (problems.length > 0) throw new Error(problems.map((one) => JSON.stringify(one)).join("\n"));
}

const folder = mkdtempSync(join(tmpdir(), "rivetkit-pack-"));
try {
	const packed = await packPackages(folder);
	process.exitCode = await runChecks(packed.flatMap(checksOf));
} finally {
	rmSync(folder, { recursive: true, force: true });
}
