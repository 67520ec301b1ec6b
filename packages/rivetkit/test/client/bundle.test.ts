import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Rolldown } from "tsdown";
import { describe, expect, test } from "vitest";

/** What a browser loads for `rivetkit/client` (issue 2, section 4), streams of actions and all. */
const GZIP_BYTES_MAX = 20_000;

const packages = fileURLToPath(new URL("../../..", import.meta.url));

async function bundleForBrowsers(): Promise<Rolldown.OutputChunk> {
	const bundle = await Rolldown.rolldown({
		input: `${packages}/rivetkit/src/client/index.ts`,
		platform: "browser",
		resolve: { conditionNames: ["@rivetkit/source", "browser", "import", "default"] },
		external: builtinModules.flatMap((name) => [name, `node:${name}`]),
	});
	const { output } = await bundle.generate({ format: "esm", minify: true, comments: false });
	await bundle.close();
	expect(output).toHaveLength(1);
	return output[0];
}

describe("the browser bundle of rivetkit/client", () => {
	test("is small, and holds nothing of the server and nothing of Node", async () => {
		const chunk = await bundleForBrowsers();
		expect(chunk.imports).toEqual([]);
		expect(chunk.dynamicImports).toEqual([]);
		const modules = Object.keys(chunk.modules).map((path) => path.replace(packages, ""));
		const foreign = modules.filter(
			(path) => !/^\/?(protocol\/src|rivetkit\/src\/(client|utils))\//.test(path),
		);
		expect(foreign).toEqual([]);
		expect(chunk.code.match(/\bnode:|\brequire\(|\bimport\(/g)).toBeNull();
		expect(gzipSync(chunk.code).byteLength).toBeLessThanOrEqual(GZIP_BYTES_MAX);
	});

	test("loads where there is no process and no Node global", async () => {
		const { code } = await bundleForBrowsers();
		const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
		const { createClient, ActorError } = (await import(/* @vite-ignore */ url)) as {
			createClient(config: object): { dispose(): Promise<void> };
			ActorError: unknown;
		};
		const client = createClient({ endpoint: "http://127.0.0.1:1", disableMetadataLookup: true });
		expect(ActorError).toBeTypeOf("function");
		await client.dispose();
	});
});
