import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assembleTemplates } from "../../../scripts/lib/templates.ts";
import { createProject, PACKAGE_MANAGERS, readTemplates } from "../src/index.ts";
import { runningPackageManager } from "../src/package-manager.ts";

const sources = join(import.meta.dirname, "..", "src", "templates");
let folder: string;
let templatesFolder: string;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "create-project-"));
	templatesFolder = join(folder, "templates");
	assembleTemplates(sources, templatesFolder);
});
afterEach(() => rm(folder, { recursive: true }));

const create = (name: string, template = "hello-world") =>
	createProject({ directory: join(folder, name), template, templatesFolder });

describe("templates", () => {
	it("are those that are promised, in this order", () => {
		const names = readTemplates(templatesFolder).map(({ name }) => name);
		expect(names).toEqual(["hello-world", "chat", "react", "next", "queue", "workflow"]);
	});

	it.each(["hello-world", "chat", "react", "next", "queue", "workflow"])(
		"%s is a project of its own: named, with versions, and nothing left to fill in",
		async (template) => {
			const { directory, scripts } = create("my-app", template);
			const read = (file: string) => readFile(join(directory, file), "utf8");
			const manifest = JSON.parse(await read("package.json"));
			const own = JSON.parse(
				await readFile(join(import.meta.dirname, "..", "package.json"), "utf8"),
			) as { version: string };
			expect(manifest).toMatchObject({ name: "my-app", private: true, type: "module" });
			expect(manifest.dependencies.rivetkit).toBe(`^${own.version}`);
			const ranges = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
			expect(ranges.filter((range) => !/^\^\d+\.\d+\.\d+$/.test(range as string))).toEqual([]);
			expect(scripts).toEqual(expect.arrayContaining(["test", "typecheck"]));
			expect(await read("README.md")).toMatch(/^# my-app\n[\s\S]*\nnpm run test\n/);
			expect(await read("README.md")).not.toContain("{{");
			expect(await read(".gitignore")).toContain("node_modules/");
			const files = await readdir(directory);
			expect(files).not.toContain("template.json");
			expect(files).not.toContain("_gitignore");
		},
	);
});

describe("createProject", () => {
	it.each([
		["npm", "npm run test"],
		["pnpm", "pnpm test"],
		["yarn", "yarn test"],
		["bun", "bun run test"],
	] as const)("writes the commands of %s into the README", async (packageManager, command) => {
		const directory = join(folder, "app");
		createProject({ directory, template: "queue", packageManager, templatesFolder });
		expect(await readFile(join(directory, "README.md"), "utf8")).toContain(`\n${command}\n`);
	});

	it("begins in a repository that was just made, and not over somebody's files", async () => {
		await mkdir(join(folder, "fresh", ".git"), { recursive: true });
		expect(create("fresh").name).toBe("fresh");
		await mkdir(join(folder, "full"));
		for (const file of ["c.txt", "a.txt", "b.txt"]) await writeFile(join(folder, "full", file), "");
		expect(() => create("full")).toThrow(
			/full is not empty \(a\.txt, b\.txt, …\): name another folder, or empty this one$/,
		);
		expect(await readdir(join(folder, "full"))).toHaveLength(3);
	});

	it.each([
		["My App", "it has to begin with a lower-case letter"],
		["_app", "it has to begin with"],
		["my app", "it may have lower-case letters"],
		["node_modules", "npm has reserved it"],
		["a".repeat(215), "it is longer than 214 characters"],
	])("refuses the name %j before anything is written", async (name, reason) => {
		expect(() => create(name)).toThrow(`"${name}" cannot be the name of a package: ${reason}`);
		expect(await readdir(folder)).toEqual(["templates"]);
	});

	it("lists the templates for one that there is not", () => {
		expect(() => create("app", "vue")).toThrow(
			'There is no template "vue"; there are hello-world, chat, react, next, queue, workflow',
		);
	});
});

it("knows the package manager that runs it", () => {
	for (const name of PACKAGE_MANAGERS) {
		expect(runningPackageManager(`${name}/9.1.0 node/v24.0.0 linux x64`)).toBe(name);
	}
	expect(runningPackageManager("cnpm/1 node/v24")).toBe("npm");
	expect(runningPackageManager(undefined)).toBe("npm");
});
