// Part of `npm run lint`: every import follows an arrow of scripts/lib/import-rules.ts.

import { packageRooms, rooms } from "./lib/import-rules.ts";
import { checkImports, checkRules, readImports } from "./lib/imports.ts";
import { publishedPackages, repoRoot } from "./lib/workspaces.ts";

const rules = { rooms, packageRooms };
const imports = readImports(repoRoot, rooms);
const violations = checkImports(imports, rules).map(
	({ file, line, message }) => `${file}:${line}: ${message}`,
);
const unlisted = publishedPackages()
	.map(({ manifest }) => manifest.name)
	.filter((name) => packageRooms[name] === undefined)
	.map((name) => `${name} has no room in scripts/lib/import-rules.ts`);
const problems = [...checkRules(rules), ...unlisted, ...violations];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
console.log(`${imports.length} imports checked, ${problems.length} against the rules`);
