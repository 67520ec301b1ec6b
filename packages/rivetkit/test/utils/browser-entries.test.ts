import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { Rolldown } from "tsdown";
import { describe, expect, test } from "vitest";

const packages = fileURLToPath(new URL("../../..", import.meta.url));

// Contract (api 1): these entries run in browsers.
describe.each([
	["errors", "errors/index.ts"],
	["inspector/client", "inspector/client.ts"],
	["log", "log/index.ts"],
	["utils", "utils/index.ts"],
])("rivetkit/%s in a browser", (_entry, source) => {
	test("holds nothing of the server and nothing of Node, and loads without a process", async () => {
		const bundle = await Rolldown.rolldown({
			input: `${packages}/rivetkit/src/${source}`,
			platform: "browser",
			resolve: { conditionNames: ["@rivetkit/source", "browser", "import", "default"] },
			external: builtinModules.flatMap((name) => [name, `node:${name}`]),
		});
		const { output } = await bundle.generate({ format: "esm", minify: true });
		await bundle.close();
		const [chunk] = output;
		expect(chunk.imports).toEqual([]);
		const ours = Object.keys(chunk.modules)
			.filter((path) => path.startsWith(packages) && !path.includes("node_modules"))
			.map((path) => path.replace(packages, ""));
		const foreign = ours.filter(
			(path) =>
				!/^\/?(protocol\/src|rivetkit\/src\/(client\/errors|errors|inspector\/client|log|utils))\b/.test(
					path,
				),
		);
		expect(foreign).toEqual([]);
		const url = `data:text/javascript;base64,${Buffer.from(chunk.code).toString("base64")}`;
		const before = globalThis.process;
		try {
			// As in a page: whoever touches `process` while loading fails here.
			Reflect.deleteProperty(globalThis, "process");
			const loaded = (await import(/* @vite-ignore */ url)) as object;
			expect(Object.keys(loaded).length).toBeGreaterThan(5);
		} finally {
			globalThis.process = before;
		}
	});
});
