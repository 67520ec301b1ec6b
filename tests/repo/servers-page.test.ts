import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readManifest, repoRoot } from "../../scripts/lib/workspaces.ts";

const folder = join(repoRoot, "examples", "servers");
const examples = readdirSync(folder);

test("docs/servers.md leads to every example of a server, and README to the page", () => {
	const page = readFileSync(join(repoRoot, "docs", "servers.md"), "utf8");
	const linked = [...page.matchAll(/\]\(\.\.\/examples\/servers\/([^)]+)\)/g)].map(
		([, name]) => name,
	);
	expect(linked.sort()).toEqual([...examples].sort());
	expect(readFileSync(join(repoRoot, "README.md"), "utf8")).toContain("(docs/servers.md)");
});

test.each(examples)("the example of %s says what it is and asks for this version", (example) => {
	const { version } = readManifest(repoRoot);
	expect(readManifest(join(folder, example))).toMatchObject({
		name: `example-server-${example}`,
		version,
		private: true,
		license: "Apache-2.0",
		description: expect.stringMatching(/\w/),
		dependencies: { rivetkit: version },
	});
});
