// `npm start`: builds what is stale and runs the example app on the embedded engine.

import { join } from "node:path";
import { buildPackages } from "./build.ts";
import { runToEnd } from "./lib/run-to-end.ts";
import { readManifest, repoRoot } from "./lib/workspaces.ts";

await buildPackages({});

const example = join(repoRoot, "examples", "hello-world");
const [, file] = /^node (\S+)$/.exec(readManifest(example).scripts?.start ?? "") ?? [];
if (file === undefined) throw new Error("examples/hello-world/package.json: start is not `node …`");

runToEnd(file, { cwd: example });
