import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Rolldown } from "tsdown";
import { expect, test } from "vitest";

/** Issue 8: what `@rivetkit/react` adds to `rivetkit/client`. */
const GZIP_BYTES_BEYOND_CLIENT_MAX = 6_000;

const packages = fileURLToPath(new URL("../..", import.meta.url));

async function gzipBytesOf(input: string): Promise<number> {
	const bundle = await Rolldown.rolldown({
		input: `${packages}/${input}`,
		platform: "browser",
		resolve: { conditionNames: ["@rivetkit/source", "browser", "import", "default"] },
		external: ["react", ...builtinModules.flatMap((name) => [name, `node:${name}`])],
	});
	const { output } = await bundle.generate({ format: "esm", minify: true });
	await bundle.close();
	expect(output).toHaveLength(1);
	expect(output[0].imports.filter((name) => name !== "react")).toEqual([]);
	return gzipSync(output[0].code).byteLength;
}

test("@rivetkit/react adds little to the client, and nothing of Node", async () => {
	const client = await gzipBytesOf("rivetkit/src/client/index.ts");
	const react = await gzipBytesOf("react/src/index.ts");
	expect(react - client).toBeGreaterThan(0);
	expect(react - client).toBeLessThanOrEqual(GZIP_BYTES_BEYOND_CLIENT_MAX);
});
