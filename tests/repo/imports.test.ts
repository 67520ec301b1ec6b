import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRooms, type Room, rooms } from "../../scripts/lib/import-rules.ts";
import {
	checkImports,
	checkRules,
	importsOf,
	type Rules,
	readImports,
} from "../../scripts/lib/imports.ts";
import { repoRoot } from "../../scripts/lib/workspaces.ts";

const house: Rules = { rooms, packageRooms };

/** What the real rules say of one line in one file. */
function verdict(file: string, line: string): string[] {
	return checkImports(importsOf(file, line), house).map(({ message }) => message);
}

describe("the rules of the house", () => {
	test("contradict themselves nowhere", () => {
		expect(checkRules(house)).toEqual([]);
	});

	test("let nothing but `rivetkit mcp` load the SDK for it, and nothing load that at once", () => {
		const imports = readImports(repoRoot, rooms).filter(({ typeOnly }) => !typeOnly);
		const mcp = "packages/rivetkit/src/cli/mcp/";
		const users = imports.filter(({ specifier }) => specifier.startsWith("@modelcontextprotocol/"));
		expect(users.length).toBeGreaterThan(0);
		expect(users.filter(({ file }) => !file.startsWith(mcp))).toEqual([]);
		const loaders = imports.filter(
			({ file, specifier }) => !file.startsWith(mcp) && /\/mcp\/(serve|tools)\.ts$/.test(specifier),
		);
		expect(loaders.map(({ file }) => file)).toEqual(["packages/rivetkit/src/cli/commands/mcp.ts"]);
		const [loader] = loaders;
		const source = readFileSync(join(repoRoot, loader!.file), "utf8");
		expect(source).toContain(`await import("${loader!.specifier}")`);
	});

	test.each([
		[
			"packages/protocol/src/a.ts",
			'import { x } from "@rivetkit/engine";',
			"protocol may not import engine",
		],
		[
			"packages/engine/src/gateway/a.ts",
			'import { x } from "rivetkit";',
			"engine/gateway may not import rivetkit",
		],
		[
			"packages/engine/src/store/a.ts",
			'import { x } from "../gateway/b.ts";',
			"engine/store may not import engine/gateway",
		],
		[
			"packages/rivetkit/src/runtime/a.ts",
			'import type { x } from "@rivetkit/engine";',
			"rivetkit/runtime may not import engine",
		],
		[
			"packages/rivetkit/src/client/a.ts",
			'import { x } from "../runtime/b.ts";',
			"rivetkit/client may not import rivetkit/runtime",
		],
		[
			"packages/rivetkit/src/client/a.ts",
			'export * from "../actor/b.ts";',
			"rivetkit/client may import only types of rivetkit/actor",
		],
		[
			"packages/rivetkit/src/client/a.ts",
			'await import("node:fs");',
			'rivetkit/client runs in browsers: no "node:fs"',
		],
		[
			"packages/rivetkit/src/client/a.ts",
			'import { WebSocket } from "ws";',
			'rivetkit/client runs in browsers: "ws" is not among the packages it may load',
		],
		[
			"packages/rivetkit/src/actor/a.ts",
			'import { readFile } from "fs/promises";',
			'rivetkit/actor runs in browsers: no "fs/promises"',
		],
		[
			"packages/rivetkit/src/runtime/a.ts",
			'import { x } from "../../../engine/src/index.ts";',
			'"../../../engine/src/index.ts" leaves its workspace; import the package by its name',
		],
		[
			"examples/hello-world/src/a.ts",
			'import { x } from "@rivetkit/engine";',
			"examples may not import engine",
		],
		[
			"examples/hello-world/src/a.ts",
			'import { x } from "../../chat-room/src/b.ts";',
			'"../../chat-room/src/b.ts" leaves its workspace; import the package by its name',
		],
		[
			"benchmarks/src/a.ts",
			'import { x } from "../../packages/rivetkit/src/index.ts";',
			'"../../packages/rivetkit/src/index.ts" leaves its workspace; import the package by its name',
		],
	])("refuse in %s: %s", (file, line, message) => {
		expect(verdict(file, line)).toEqual([message]);
	});

	test.each([
		["packages/engine/src/gateway/a.ts", 'import { x } from "../placement/b.ts";'],
		["packages/engine/src/store/a.ts", 'import { x } from "@rivetkit/protocol";'],
		["packages/rivetkit/src/backends/embedded/a.ts", 'import { x } from "@rivetkit/engine";'],
		["packages/rivetkit/src/client/a.ts", 'import type { x } from "../actor/b.ts";'],
		["packages/rivetkit/src/client/a.ts", 'import type { Server } from "node:http";'],
		["examples/chat-room/src/a.ts", 'import { createClient } from "rivetkit/client";'],
		["examples/chat-room/src/a.ts", 'import { Hono } from "hono";'],
	])("allow in %s: %s", (file, line) => {
		expect(verdict(file, line)).toEqual([]);
	});
});

describe("the checker", () => {
	const open: readonly Room[] = [{ name: "app", at: ["app"], imports: [] }];

	test("reads files from disk and names the file and the line of what is wrong", () => {
		const root = mkdtempSync(join(tmpdir(), "imports-"));
		try {
			const file = join(root, "app/deep/a.ts");
			mkdirSync(dirname(file), { recursive: true });
			writeFileSync(file, 'import { a } from "./b.ts";\n\nimport { x } from "../../other/c.ts";\n');
			const found = checkImports(readImports(root, open), { rooms: open, packageRooms: {} });
			expect(found).toEqual([
				{
					file: "app/deep/a.ts",
					line: 3,
					message: '"../../other/c.ts" leaves its workspace; import the package by its name',
				},
			]);
		} finally {
			rmSync(root, { recursive: true });
		}
	});

	test("finds files that import each other in a circle, but lets types point back", () => {
		const imports = [
			...importsOf("app/a.ts", 'import { b } from "./b.ts";'),
			...importsOf("app/b.ts", 'export { c } from "./c.ts";'),
			...importsOf("app/c.ts", 'import { a } from "./a.ts";'),
			...importsOf("app/d.ts", 'import type { e } from "./e.ts";'),
			...importsOf("app/e.ts", 'import { d } from "./d.ts";'),
		];
		expect(checkImports(imports, { rooms: open, packageRooms: {} })).toEqual([
			{
				file: "app/c.ts",
				line: 1,
				message: "imports in a circle: app/a.ts → app/b.ts → app/c.ts → app/a.ts",
			},
		]);
	});

	test("names rules that contradict each other", () => {
		const contradiction: readonly Room[] = [
			{ name: "a", at: ["a"], imports: ["b"], browser: { packages: [] } },
			{ name: "b", at: ["b"], imports: ["a", "nowhere"] },
		];
		expect(checkRules({ rooms: contradiction, packageRooms: { x: "gone" } })).toEqual([
			"a runs in browsers but may import b, which does not",
			"a and b may import each other",
			"b lists nowhere, which is no room",
			"b and a may import each other",
			"x is gone, which is no room",
		]);
	});
});
