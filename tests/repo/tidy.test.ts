import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
	publishedPackages,
	readManifest,
	repoRoot,
	workspaces,
} from "../../scripts/lib/workspaces.ts";
import { sharing } from "../../scripts/vitest-sharing.ts";

/** What a commit would hold: tracked files and new ones that are not ignored, without deleted ones. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
	cwd: repoRoot,
	encoding: "utf8",
})
	.split("\n")
	.filter((file) => file !== "" && existsSync(join(repoRoot, file)));

const texts = files.filter((file) =>
	/\.(ts|tsx|mjs|js|json|md|html|css|yaml|bare|sh)$|\.ci\/run$/.test(file),
);

function occurrences(pattern: RegExp, among: readonly string[]): string[] {
	return among.flatMap((file) =>
		readFileSync(join(repoRoot, file), "utf8")
			.split("\n")
			.flatMap((line, index) =>
				pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
			),
	);
}

/** This file spells out what it forbids. */
const others = texts.filter(
	(file) => file !== "tests/repo/tidy.test.ts" && file !== "package-lock.json",
);
const tests = others.filter((file) => /\.test\.tsx?$/.test(file));

describe("in the whole repository", () => {
	test("no marker says that work was left for later", () => {
		expect(occurrences(/\b(TODO|FIXME|XXX|HACK)\b/, others)).toEqual([]);
	});

	test("no test is switched off, narrowed or retried", () => {
		expect(
			occurrences(/\b(it|test|describe)\.(skip|only|todo|fails)\b|\bretry: *[1-9]/, tests),
		).toEqual([]);
	});

	test("files that share a process leave it as it was", () => {
		expect(sharing.length).toBeGreaterThan(300);
		const once =
			/(?<!\.)\bprocess\.(env|on|once|emit|chdir|kill|memoryUsage)\b|\bvi\.(stub|useFakeTimers|mock|hoisted)|\bspyOn\((process|AsyncLocalStorage)\b|\bglobalThis\.\w+ = |\bdeleteProperty\(globalThis\b|\bsetGlobal|setFlagsFromString|\bHeapProfiler\b|^import ".*\.test\.tsx?"/;
		const shared = sharing.filter((file) => others.includes(file));
		expect(occurrences(once, shared)).toEqual([]);
	});

	test("no type check is switched off", () => {
		const code = others.filter((file) => /\.tsx?$/.test(file));
		expect(occurrences(/@ts-(ignore|nocheck)\b/, code)).toEqual([]);
	});

	test("no lockfile entry names the host it came from", () => {
		expect(occurrences(/"resolved": *"http/, ["package-lock.json"])).toEqual([]);
	});

	test("file names are lower-case words with dashes", () => {
		const named = files.filter((file) => /\.(ts|tsx|mjs)$/.test(file));
		// Some frameworks read the routes of an application from names with brackets.
		const odd = named.filter((file) => !/^[a-z0-9.[\]-]+$/.test(file.split("/").at(-1) ?? ""));
		expect(odd).toEqual([]);
	});
});

describe.each(workspaces().map(({ path, manifest, dir }) => ({ path, manifest, dir })))(
	"$path",
	({ manifest }) => {
		test("says what it is, under which licence", () => {
			expect(manifest.description).toMatch(/\w/);
			expect(manifest.license).toBe("Apache-2.0");
		});
	},
);

describe.each(publishedPackages().map(({ path, manifest, dir }) => ({ path, manifest, dir })))(
	"$path, which is published,",
	({ manifest, dir }) => {
		test("has a README and the repository's licence", () => {
			expect(readFileSync(join(dir, "README.md"), "utf8")).toContain(`# ${manifest.name}\n`);
			expect(readFileSync(join(dir, "LICENSE"), "utf8")).toBe(
				readFileSync(join(repoRoot, "LICENSE"), "utf8"),
			);
		});

		test("ships its sources and its build, and nothing else", () => {
			const shipped = manifest.files?.filter((file) => !file.startsWith("!"));
			expect(shipped).toEqual(["dist", "src"]);
		});

		test("has the repository's version, and asks for it in its siblings", () => {
			const { version } = readManifest(repoRoot);
			expect(manifest.version).toBe(version);
			const siblings = new Set(publishedPackages().map((sibling) => sibling.manifest.name));
			const asked = Object.entries(manifest.dependencies ?? {}).filter(([name]) =>
				siblings.has(name),
			);
			expect(asked.filter(([, range]) => range !== version)).toEqual([]);
		});

		test("runs no script when it is installed", () => {
			const scripts = Object.keys(manifest.scripts ?? {});
			expect(scripts.filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
		});
	},
);

test("every dependency has its reason in docs/dependencies.md", () => {
	const page = readFileSync(join(repoRoot, "docs/dependencies.md"), "utf8");
	const ours = new Set(workspaces().map(({ manifest }) => manifest.name));
	const named = [readManifest(repoRoot), ...workspaces().map(({ manifest }) => manifest)]
		.flatMap(({ dependencies, devDependencies, optionalDependencies, peerDependencies }) =>
			Object.keys({
				...dependencies,
				...devDependencies,
				...optionalDependencies,
				...peerDependencies,
			}),
		)
		.filter((name) => !ours.has(name));
	expect([...new Set(named)].filter((name) => !page.includes(`| \`${name}\``))).toEqual([]);
});

test("the changelog has a place for what comes next", () => {
	expect(readFileSync(join(repoRoot, "CHANGELOG.md"), "utf8")).toMatch(/^## \[Unreleased\]$/m);
});

test("every decision record is listed, and every listed one is there", () => {
	const records = files
		.filter((file) => /^docs\/adr\/\d{4}-/.test(file))
		.map((file) => file.slice("docs/adr/".length));
	const listed = [
		...readFileSync(join(repoRoot, "docs/adr/README.md"), "utf8").matchAll(/\]\((\d{4}-[^)]+)\)/g),
	];
	expect(listed.map(([, file]) => file).sort()).toEqual(records.sort());
});

test("links in our pages lead to files that are there", () => {
	const broken = files
		// The skill page is kept as it was given; its links are those of the site it is from.
		.filter((file) => file.endsWith(".md") && file !== "docs/SKILL.md")
		.flatMap((file) =>
			[
				...readFileSync(join(repoRoot, file), "utf8").matchAll(
					/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g,
				),
			]
				.map(([, target = ""]) => join(file, "..", target))
				.filter((target) => !existsSync(join(repoRoot, target)))
				.map((target) => `${file} → ${target}`),
		);
	expect(broken).toEqual([]);
});
